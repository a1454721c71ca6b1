"""What users do with their accounts: sign in, confirm addresses, change, reset and delete."""
