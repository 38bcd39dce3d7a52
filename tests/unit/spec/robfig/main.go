// SPDX-License-Identifier: Apache-2.0

// Command robfig prints schedules with what a CronJob makes of them, for syntax_test.c:
//
//	go run . [COUNT] >../cron_cases
//
// A line is SCHEDULE, a tab, and "refused" or the masks of minutes, hours, days, months and
// weekdays in hexadecimal, then whether days and weekdays are restricted (0 or 1). Left out is
// what Sonde refuses on purpose: steps beyond a field's end, empty entries of a list, @every.
package main

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"github.com/robfig/cron/v3"
)

const (
	star = 1 << 63
	seed = 20260901
)

var written = []string{
	"* * * * *", "? ? ? ? ?", "*/1 */1 */1 */1 */1", "0 9 * * 1/2", "0 9 * * 1/3", "0 0 */2 * 1",
	"0 0 1 * */2", "0 0 */2 * */2", "0 0 1-31 * 1", "0 0 1,*/1 * 1", "0 0 1,*/2 * 1", "0 0 ?/2 * 1",
	"0 0 * * 0-6", "0 0 * * 6/1", "59 23 31 12 6", "05 007 1 1 0", "0 0 * * sun", "0 0 * * SAT/1",
	"0 0 * JAN-Mar/2 *", "0 0 * * fri-sat", "0 0 * * sat-sun", "@yearly", "@annually", "@monthly",
	"@weekly", "@daily", "@midnight", "@hourly", "@never", "", "* * * *", "* * * * * *",
	"0  0   1 1    0", "-1 * * * *", "1-2-3 * * * *", "1/2/3 * * * *", "1/ * * * *", "/2 * * * *",
	"1- * * * *", "a * * * *", "* * * * 8", "* * * 0 *", "* * 0 * *", "* * 32 * *", "60 * * * *",
	"* 24 * * *", "* * * 13 *", "*/0 * * * *", "5-1 * * * *", "* * * jan-13 *", "1.5 * * * *",
}

type bounds struct {
	first, last int
	names       []string
}

var fields = []bounds{
	{0, 59, nil},
	{0, 23, nil},
	{1, 31, nil},
	{1, 12, strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{0, 6, strings.Fields("sun mon tue wed thu fri sat")},
}

// Mostly in the bounds, and never 7 as a weekday, which only Sonde knows.
func number(random *rand.Rand, b bounds) int {
	if random.Intn(100) == 0 {
		return b.last + 2
	}
	return b.first + random.Intn(b.last-b.first+1)
}

func word(random *rand.Rand, b bounds, n int) string {
	if n-b.first < len(b.names) && random.Intn(2) == 0 {
		return b.names[n-b.first]
	}
	return strconv.Itoa(n)
}

func entry(random *rand.Rand, b bounds) string {
	first, last := number(random, b), number(random, b)
	if first > last && random.Intn(20) != 0 {
		first, last = last, first
	}
	text := word(random, b, first)
	switch random.Intn(6) {
	case 0:
		text = "*"
	case 1:
		text = "?"
	case 2, 3:
		text += "-" + word(random, b, last)
	}
	if random.Intn(2) == 0 {
		text += "/" + strconv.Itoa(1+random.Intn(b.last))
	}
	return text
}

func schedule(random *rand.Rand) string {
	texts := make([]string, len(fields))
	for i, b := range fields {
		texts[i] = entry(random, b)
		for random.Intn(4) == 0 {
			texts[i] += "," + entry(random, b)
		}
	}
	return strings.Join(texts, " ")
}

func flag(restricted bool) int {
	if restricted {
		return 1
	}
	return 0
}

func show(text string) {
	parsed, err := cron.ParseStandard(text)
	if err != nil {
		fmt.Printf("%s\trefused\n", text)
		return
	}
	s := parsed.(*cron.SpecSchedule)
	fmt.Printf("%s\t%x %x %x %x %x %d %d\n", text, s.Minute&^star, s.Hour&^star, s.Dom&^star,
		s.Month&^star, s.Dow&^star, flag(s.Dom&star == 0), flag(s.Dow&star == 0))
}

func main() {
	count := 200
	if len(os.Args) > 1 {
		var err error
		if count, err = strconv.Atoi(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "usage: robfig [COUNT]")
			os.Exit(2)
		}
	}
	fmt.Println("# SPDX-License-Identifier: Apache-2.0")
	fmt.Println("# Printed by robfig/main.go with github.com/robfig/cron/v3 3.0.1.")
	for _, text := range written {
		show(text)
	}
	random := rand.New(rand.NewSource(seed))
	for i := 0; i < count; i++ {
		show(schedule(random))
	}
}
