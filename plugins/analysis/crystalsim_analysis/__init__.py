"""What is behind an error: physics, wave numbers, strata, interaction, cost."""
