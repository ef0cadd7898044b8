"""The steady state in closed form, over columns of configurations: one kind of replica, pools, a day of production."""
