"""What people come for: training, evaluation, comparison, tagging, models on disk. Knows all below; never prints."""
