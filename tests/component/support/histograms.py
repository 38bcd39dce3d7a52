# SPDX-License-Identifier: Apache-2.0
"""HdrHistogram of PyPI: for each line {"layout", "list", "text"} what it reads in the text, and the
text that it writes of the values."""

import json
import sys

from hdrh.histogram import HdrHistogram

PERCENTILES = [0, 0.1, 25, 50, 75, 90, 99, 99.9, 99.999, 100]

for line in sys.stdin:
    case = json.loads(line)
    written = HdrHistogram(*case["layout"])
    for value in case["list"]:
        written.record_value(value)
    histogram = HdrHistogram.decode(case["text"])
    print(
        json.dumps(
            {
                "text": written.encode().decode(),
                "total": histogram.get_total_count(),
                "mean": histogram.get_mean_value(),
                "deviation": histogram.get_stddev(),
                "quantiles": [
                    [percentile, histogram.get_value_at_percentile(percentile)]
                    for percentile in PERCENTILES
                ],
            }
        )
    )
