# SPDX-License-Identifier: Apache-2.0
"""What other programs' readers find in the exports of a load test: of HdrHistogram's log, of
Prometheus' text, and of an XML file."""

import json
import sys
import xml.etree.ElementTree as ElementTree

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from prometheus_client.parser import text_string_to_metric_families


def read_log(file):
    sum_of_all = HdrHistogram(1, 3600000000, 3)
    reader = HistogramLogReader(file, sum_of_all)
    lengths = []
    while (interval := reader.get_next_interval_histogram()) is not None:
        if interval.get_tag() is None:
            lengths.append(interval.get_end_time_stamp() - interval.get_start_time_stamp())
            sum_of_all.add(interval)
    return {
        "lengths": lengths,
        "total": sum_of_all.get_total_count(),
        "p99": sum_of_all.get_value_at_percentile(99),
    }


def read_metrics(file):
    with open(file, encoding="utf-8") as text:
        return {
            family.name: {
                "type": family.type,
                "samples": [[s.name, s.labels, s.value] for s in family.samples],
            }
            for family in text_string_to_metric_families(text.read())
        }


def read_xml(file):
    suite = ElementTree.parse(file).getroot().find("testsuite")
    return {
        "suite": suite.attrib,
        "cases": [
            {**case.attrib, "outcome": [{"is": one.tag, **one.attrib} for one in case]}
            for case in suite.findall("testcase")
        ],
        "said": suite.find("system-out").text,
    }


hlog, prometheus, junit = sys.argv[1:]
print(
    json.dumps(
        {"log": read_log(hlog), "metrics": read_metrics(prometheus), "junit": read_xml(junit)}
    )
)
