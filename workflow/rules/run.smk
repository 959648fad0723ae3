"""What jobs ask for, where they run, and what a run says in the terminal."""

from collections import Counter

from csnn.experiment.resources import megabytes, minutes, scaled_by_attempt
from csnn.run import refuse_second_run, show_progress
