"""What Dagster needs around the computation: resources, jobs, schedules, console, instance."""
