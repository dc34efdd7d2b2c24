-- Asks for $PATH_TO_ASK with each cookie of the file $COOKIES in turn, or without a cookie.
local requests, next_one = {}, 0

function init(arguments)
  local path, file = os.getenv("PATH_TO_ASK"), os.getenv("COOKIES")
  if file == "" then
    requests[1] = wrk.format("GET", path, { ["Host"] = "127.0.0.1" })
    return
  end
  for line in io.lines(file) do
    requests[#requests + 1] = wrk.format("GET", path, { ["Host"] = "127.0.0.1", ["Cookie"] = line })
  end
end

function request()
  next_one = next_one % #requests + 1
  return requests[next_one]
end

function done(summary, latency, all)
  local errors = summary.errors
  io.write(string.format("RESULT requests=%d duration=%d failed=%d half=%d most=%d\n", summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50), latency:percentile(99)))
end
