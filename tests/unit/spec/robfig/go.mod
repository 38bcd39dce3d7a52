// SPDX-License-Identifier: Apache-2.0

module sonde.dev/tests/unit/spec/robfig

go 1.19

// What k8s.io/kubernetes 1.34 reads the schedules of CronJobs with.
require github.com/robfig/cron/v3 v3.0.1
