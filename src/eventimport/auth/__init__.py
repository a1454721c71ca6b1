"""Who a client is, and how often it may ask: passwords, tokens, keys and rate limits."""

from eventimport.auth.keys import AuthConfig, InvalidTokenError
from eventimport.auth.limits import Limit, Limiter, LookAlikes
from eventimport.auth.passwords import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH, Passwords
from eventimport.auth.tokens import MAX_USER_ID, Bearer, LinkTokens, PreviewTokens, Tokens

__all__ = [
    "MAX_PASSWORD_LENGTH",
    "MAX_USER_ID",
    "MIN_PASSWORD_LENGTH",
    "AuthConfig",
    "Bearer",
    "InvalidTokenError",
    "Limit",
    "Limiter",
    "LinkTokens",
    "LookAlikes",
    "Passwords",
    "PreviewTokens",
    "Tokens",
]
