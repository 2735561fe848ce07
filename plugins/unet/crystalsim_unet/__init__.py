"""A U-Net that corrects a background flow."""
