"""The live model of a workspace is watched, as the settings say, and alarms are recorded."""
