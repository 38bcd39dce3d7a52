# SPDX-License-Identifier: Apache-2.0
# When schedules fire, by other means than ours. Lines of standard input are JSON, and so are those
# of standard output.
# {"zones": [...], "years": [first, last]}: for each zone the moments at which its clocks change.
# {"zone", "from", "to", "schedule"}: each minute in between is looked at, by Python's zoneinfo.
# {"from", "count", "schedule"}: the next ones in UTC, by croniter.
import json
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from croniter import croniter

MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
DAYS = "sun mon tue wed thu fri sat".split()


def values(text, low, high, names=()):
    def value(word):
        return low + names.index(word) if word in names else int(word)

    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first, last = value(first), value(last) if last else (high if step else value(first))
        found.update(range(first, last + 1, int(step or 1)))
    return found


class Schedule:
    def __init__(self, text):
        minute, hour, day, month, weekday = text.split()
        self.minutes, self.hours = values(minute, 0, 59), values(hour, 0, 23)
        self.days, self.months = values(day, 1, 31), values(month, 1, 12, MONTHS)
        self.weekdays = {each % 7 for each in values(weekday, 0, 7, DAYS)}
        self.either = day != "*" and weekday != "*"
        self.hourly = len(self.hours) == 24

    def fits(self, wall):
        if wall.minute not in self.minutes or wall.hour not in self.hours:
            return False
        days = [wall.day in self.days, (wall.weekday() + 1) % 7 in self.weekdays]
        return wall.month in self.months and (any(days) if self.either else all(days))


def offset(zone, at):
    return datetime.fromtimestamp(at, zone).utcoffset()


def changes(zone, first, last):
    at = int(datetime(first, 1, 1, tzinfo=timezone.utc).timestamp())
    end = int(datetime(last + 1, 1, 1, tzinfo=timezone.utc).timestamp())
    found = []
    for day in range(at, end, 86400):
        if offset(zone, day) != offset(zone, day + 86400):
            found += [m for m in range(day + 60, day + 86401, 60) if offset(zone, m) != offset(zone, m - 60)]
    return found


def firings(zone, begin, end, schedule):
    found = []
    shown = {}  # what the wall clock has shown already, by the minute
    for at in range(begin - begin % 60 - 4 * 3600, end + 1, 60):
        wall = datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)
        fires = schedule.fits(wall) and (schedule.hourly or wall not in shown)
        missing = datetime.fromtimestamp(at - 60, zone).replace(tzinfo=None, fold=0) + timedelta(minutes=1)
        while missing < wall and not schedule.hourly:
            fires = fires or schedule.fits(missing)
            missing += timedelta(minutes=1)
        shown[wall] = True
        if fires and at > begin:
            found.append(at)
    return found


def upcoming(begin, count, text):
    each = croniter(text, datetime.fromtimestamp(begin, timezone.utc))
    return [int(each.get_next(float)) for _ in range(count)]


for line in sys.stdin:
    ask = json.loads(line)
    if "zones" in ask:
        answer = {name: changes(ZoneInfo(name), *ask["years"]) for name in ask["zones"]}
    elif "zone" in ask:
        zone = ZoneInfo(ask["zone"])
        answer = firings(zone, ask["from"], ask["to"], Schedule(ask["schedule"]))
    else:
        answer = upcoming(ask["from"], ask["count"], ask["schedule"])
    print(json.dumps(answer))
