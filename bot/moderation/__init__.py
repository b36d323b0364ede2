"""The gate, and what moderators do: policy per guild, word lists, pictures, quotas, cases, sanctions."""
