"""A U-Net that corrects the isoviscous flow."""
