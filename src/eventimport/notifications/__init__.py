"""Telling users how their imports ended: the words, and the mail that carries them."""
