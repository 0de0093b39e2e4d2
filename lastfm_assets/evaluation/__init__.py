"""How good the lists are: metrics, the leaderboard, the gate and the champion."""
