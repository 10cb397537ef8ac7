"""Power of the three zones of Tetouan from weather and time: gradient-boosted trees."""
