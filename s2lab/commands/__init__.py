"""The commands of the command line, one file a group. Importing a file registers its commands."""
