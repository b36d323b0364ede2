"""All that a member reads: words by locale, cards, progress, and the way there."""
