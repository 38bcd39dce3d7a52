-- SPDX-License-Identifier: Apache-2.0
-- A mix of requests for wrk: wrk -s load.lua URL [-- faults|twins]. The same requests each time.

local SEED = 20240229

-- weight, the fault, its twin
local MIX = {
  { 20, '/patients?q=smi', '/patients?q=smi' },
  { 30, '/patients/%d', '/patients/%d' },
  { 12, '/patients/nplus1?page=%d', '/patients/joined?page=%d' },
  { 4, '/patients/crossed?page=%d', '/patients/separate?page=%d' },
  { 8, '/visits/loop', '/visits/batch' },
  { 8, '/dashboard/sequence', '/dashboard/together' },
  { 6, '/export/copied', '/export/picked' },
  { 3, '/notes/backtracking', '/notes/linear' },
  { 3, '/sessions/sync', '/sessions/async' },
  { 6, '/reports/leaking?patient=%d', '/reports/bounded?patient=%d' },
}
local LARGEST_NUMBER = 100

local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('thread_number', threads)
end

local paths = {}
local position = 0

function init(arguments)
  math.randomseed(SEED + thread_number)
  local column = arguments[1] == 'twins' and 3 or 2
  for _, entry in ipairs(MIX) do
    for _ = 1, entry[1] do
      paths[#paths + 1] = entry[column]
    end
  end
end

-- Like a pack of cards: every hundred requests are the same mix, each time in another order.
local function shuffle()
  for i = #paths, 2, -1 do
    local j = math.random(i)
    paths[i], paths[j] = paths[j], paths[i]
  end
end

function request()
  position = position % #paths + 1
  if position == 1 then
    shuffle()
  end
  return wrk.format('GET', (paths[position]:gsub('%%d', math.random(LARGEST_NUMBER))))
end
