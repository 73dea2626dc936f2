"""Quality: audits of what was stored and refused, scores, and the report for auditors."""
