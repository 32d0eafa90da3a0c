"""What the shipped taggers are made of: `train_shipped.py` puts it together."""
