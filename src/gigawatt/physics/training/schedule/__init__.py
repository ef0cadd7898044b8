"""Pipeline schedules: their length in closed form, and a replay that it is checked against."""
