"""What the live tests share: a stack under the real engine, users, kills, the soak's figures."""
