"""How dates and times are written, by language; the stock ones where a language has none here."""
