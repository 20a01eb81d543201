-- Fires events as fast as the switch takes them, or at a rate: `luarun bench_events.lua COUNT RATE HEADERS`.
--
-- For scripts/bench.py and the tests. The events are CUSTOM, of the subclass `erlang_py::bench`, numbered by the header
-- Number from 1, with the switch's time in Sent (milliseconds since the epoch); RATE is events a second, 0 for no limit.
-- They are copies of one. Unlike erlang_py_events.py this takes nothing of the Python interpreter.

local count, rate, headers = tonumber(argv[1]), tonumber(argv[2] or 0), tonumber(argv[3] or 75)
local api = freeswitch.API()
local event = freeswitch.Event("CUSTOM", "erlang_py::bench")

-- 14 are the switch's own, and Number and Sent
for number = 0, headers - 17 do
  local value = "a value, number " .. number
  if number % 3 ~= 0 then
    value = "sip:" .. number .. "@127.0.0.1:5060;transport=udp"
  end
  event:addHeader("variable_bench_header_" .. number, value)
end

local began = tonumber(api:getTime())
local number = 0
while number < count do
  local now = api:getTime()
  local due = count
  if rate > 0 then
    due = math.min(count, math.floor((tonumber(now) - began) * rate / 1000))
    if due <= number then
      freeswitch.msleep(1)
    end
  end
  while number < due do
    number = number + 1
    event:delHeader("Number")
    event:addHeader("Number", tostring(number))
    event:delHeader("Sent")
    event:addHeader("Sent", now)
    event:fire()
    if number % 16 == 0 then
      now = api:getTime()
    end
  end
end
