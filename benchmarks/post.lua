-- wrk's side of the benchmark: requests over and over, and the figures as one line of JSON.
-- The request comes by the environment, so that no token stands in a command line.

local requests, turn = {}, 0

function init(_)
   wrk.method = os.getenv("BENCH_METHOD")
   local token = os.getenv("BENCH_TOKEN")
   if token and token ~= "" then
      wrk.headers["Authorization"] = "Bearer " .. token
   end
   local path = os.getenv("BENCH_BODY")
   if path and path ~= "" then
      local file = assert(io.open(path, "rb"))
      wrk.body = file:read("*a")
      file:close()
      wrk.headers["Content-Type"] = os.getenv("BENCH_TYPE")
   end
   local lines = os.getenv("BENCH_LINES")
   if lines and lines ~= "" then
      for line in io.lines(lines) do
         requests[#requests + 1] = wrk.format(nil, nil, nil, line)
      end
   else
      requests[1] = wrk.format()
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      'figures {"duration_us": %d, "requests": %d, "p50_us": %d, "p99_us": %d, '
         .. '"refused": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\n',
      summary.duration, summary.requests, latency:percentile(50), latency:percentile(99),
      errors.status, errors.connect, errors.read, errors.write, errors.timeout))
end
