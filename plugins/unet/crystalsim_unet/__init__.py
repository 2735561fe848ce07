"""The a U-Net for the correction to the isoviscous flow."""
