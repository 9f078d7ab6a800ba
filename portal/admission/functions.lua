#!lua name=dure_admission_2

-- The admission protocol: holds, settlements, limits. See docs/admission.md.
-- Rules kept by every function here:
--   * all checks come before the first write, because an error keeps earlier writes;
--   * amounts are integers of micro-won below 2^53, and numbers are written with %d:
--     tostring() would write 1e+15 and lose digits;
--   * the server's TIME is the only clock;
--   * every key begins with the cell's hash tag, given as KEYS[1];
--   * records are those of the library before this one, with fields added: while a release is
--     rolled out, gateways of both end each other's holds.

local MAX = 9007199254740991 -- 2^53 - 1
local LEASE_MS = 60000
local SKEW_MS = 5000
local KEEP_S = 600           -- settled and released records answer repetitions for ten minutes
local KEEP_EXPIRED_S = 86400 -- a late settlement finds its expired hold for a day
local KEEP_MARK_S = 86400    -- an Idempotency-Key is remembered for a day after its request ended
local KEEP_ORDER_S = 131 * 86400 -- a committed order answers repetitions 100 days past its month
local MOST_TOKENS = 4294967296 -- 2^32: with more, worst_case() would not be exact
local SCALE = 1000000        -- prices are in 10^-6 micro-won per token
local KST_MS = 9 * 3600000

local function int(text) return tonumber(text) or 0 end

-- A whole number between 0 and 2^53 - 1 from a caller; anything else ends the call unwritten.
local function amount_of(text)
  local number = tonumber(text)
  if not number or number < 0 or number > MAX or number % 1 ~= 0 then
    error({ err = 'ERR not an amount: ' .. tostring(text) })
  end
  return number
end

local function month_from(text)
  local year, month = string.match(text or '', '^(%d%d%d%d)%-(%d%d)$')
  if not year or int(month) < 1 or int(month) > 12 then
    error({ err = 'ERR not a month: ' .. tostring(text) })
  end
  return text, int(year), int(month)
end

local function str(number) return string.format('%d', number) end

local function now_ms()
  local time = server.call('TIME')
  return int(time[1]) * 1000 + math.floor(int(time[2]) / 1000)
end

-- Year and month in Korea, from days since 1970 (Howard Hinnant's civil_from_days).
local function civil(ms)
  local z = math.floor((ms + KST_MS) / 86400000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local leap_days = math.floor(doe / 1460) - math.floor(doe / 36524) + math.floor(doe / 146096)
  local yoe = math.floor((doe - leap_days) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month
end

local function days_of(year, month)
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local yoe = y - era * 400
  local mp = month > 2 and month - 3 or month + 9
  local doy = math.floor((153 * mp + 2) / 5)
  local doe = yoe * 365 + math.floor(yoe / 4) - math.floor(yoe / 100) + doy
  return era * 146097 + doe - 719468
end

local function month_of(ms)
  local year, month = civil(ms)
  return string.format('%04d-%02d', year, month)
end

-- The month does not change from call to call: kept until the day turns.
local day_known, month_known = -1, ''
local function this_month(ms)
  local day = math.floor((ms + KST_MS) / 86400000)
  if day ~= day_known then day_known, month_known = day, month_of(ms) end
  return month_known
end

local function until_next_month(ms)
  local year, month = civil(ms)
  if month == 12 then year, month = year + 1, 1 else month = month + 1 end
  return days_of(year, month) * 86400000 - KST_MS - ms
end

-- ceil((tokens_in * price_in + tokens_out * price_out) / SCALE) without passing 2^53:
-- prices are split into whole micro-won and the rest.
local function worst_case(tokens_in, price_in, tokens_out, price_out)
  local high = tokens_in * math.floor(price_in / SCALE) + tokens_out * math.floor(price_out / SCALE)
  local low = tokens_in * (price_in % SCALE) + tokens_out * (price_out % SCALE)
  return high + math.ceil(low / SCALE)
end

local function split(text)
  local parts = {}
  for part in string.gmatch(text or '', '[^,]+') do parts[#parts + 1] = part end
  return parts
end

local function budget_key(tag, subject) return tag .. ':budget:' .. subject end

-- limit, hard, used, of one budget in one month; nil if nobody published it
local function standing(tag, subject, month)
  local limit, hard, spent, committed, held = unpack(server.call('HMGET', budget_key(tag, subject),
    'limit', 'hard', 's:' .. month, 'c:' .. month, 'h:' .. month))
  if not limit then return nil end
  return { limit = int(limit), hard = hard == '1', spent = int(spent), committed = int(committed), held = int(held) }
end

-- A soft budget ends where integers do: above, sums would not be exact and HINCRBY could fail
-- between two writes.
local function left(budget)
  return (budget.hard and budget.limit or MAX) - budget.spent - budget.committed - budget.held
end

local function add(tag, subject, field, month, amount)
  if amount ~= 0 then
    server.call('HINCRBY', budget_key(tag, subject), field .. ':' .. month, str(amount))
  end
end

local function no(reason, name, room, limit, retry_ms, detail)
  return { 'no', reason, name or '', room or '0', limit or '0', str(retry_ms or 0), detail or '' }
end

-- The refusal of the first budget without room for `amount`, or nil and the least that is left
-- of the hard ones. An unknown budget is about to be published: come back soon.
local function find_room(tag, subjects, month, amount, ms)
  local least = nil
  for _, subject in ipairs(subjects) do
    local budget = standing(tag, subject, month)
    if not budget then return no('budget_unknown', subject, '0', '0', 1000) end
    local room = left(budget)
    if room < amount then
      return no('budget_exceeded', subject, str(room), str(budget.limit), ms and until_next_month(ms))
    end
    if budget.hard and (not least or room < least) then least = room end
  end
  return nil, least
end

-- What still fits into every budget, at most `amount`, never below zero.
local function fitting(tag, subjects, month, amount)
  for _, subject in ipairs(subjects) do
    local budget = standing(tag, subject, month)
    if budget then amount = math.min(amount, math.max(0, left(budget))) end
  end
  return amount
end

-- Those of the subjects that have a budget.
local function published(tag, subjects, month)
  local found = {}
  for _, subject in ipairs(subjects) do
    if standing(tag, subject, month) then found[#found + 1] = subject end
  end
  return found
end

local function hold_key(tag, id) return tag .. ':hold:' .. id end

local function read_hold(tag, id)
  local state, worst, month, budgets, key, sha, org, tokens, mark = unpack(server.call('HMGET', hold_key(tag, id),
    'state', 'worst', 'month', 'budgets', 'key', 'sha', 'org', 'tokens', 'mark'))
  if not state then return nil end
  return { state = state, worst = int(worst), month = month, budgets = split(budgets), key = key, sha = sha,
    org = org, tokens = tokens, mark = mark }
end

local function not_busy(tag, key)
  if server.call('HINCRBY', tag .. ':busy', key, -1) <= 0 then server.call('HDEL', tag .. ':busy', key) end
end

-- An open hold ends: what was held is free again.
local function free_hold(tag, id, hold)
  for _, subject in ipairs(hold.budgets) do add(tag, subject, 'h', hold.month, -hold.worst) end
  not_busy(tag, hold.key)
  server.call('ZREM', tag .. ':leases', id)
end

-- Whether the counters are those that the publisher opened the cell with. Between a loss and the
-- next opening they may be too small, and what has no hold would find room that is not there.
local function must_be_validated(tag)
  local epoch, run = unpack(server.call('MGET', tag .. ':epoch', tag .. ':run'))
  if not epoch or (run and string.match(server.call('INFO', 'server'), 'run_id:(%x+)') ~= run) then
    error({ err = 'ERR closed: the counters are being checked' })
  end
end

-- What is kept of a request that ended: as little as answers a repetition.
local function keep_end(tag, id, state, charged)
  local name = hold_key(tag, id)
  server.call('DEL', name)
  server.call('HSET', name, 'state', state, 'charged', str(charged))
  server.call('EXPIRE', name, KEEP_S)
end

-- A clock minute's windows of a key: requests, and tokens by their worst cases.
local function rate_key(tag, key, minute) return tag .. ':rate:' .. key .. ':' .. minute end
local function tokens_key(tag, key, minute) return tag .. ':tokens:' .. key .. ':' .. minute end

-- Tokens that a request did not use are free again, while its minute lasts.
local function give_back_tokens(tag, hold, used)
  local counted, minute = string.match(hold.tokens or '', '^(%d+) (%d+)$')
  if not counted or int(counted) <= used then return end
  if minute ~= str(math.floor(now_ms() / 60000)) then return end
  server.call('DECRBY', tokens_key(tag, hold.key, minute), str(int(counted) - used))
end

-- Marks of Idempotency-Keys: '<running or ended> <fingerprint> <request id> <charged> <outcome>'.
-- A string and not a hash, because a day of them is kept.
local function mark_key(tag, mark) return tag .. ':idem:' .. mark end

local function set_mark(tag, mark, state, fingerprint, id, charged, outcome)
  local text = table.concat({ state, fingerprint, id, str(charged), outcome }, ' ')
  server.call('SET', mark_key(tag, mark), text, 'EX', KEEP_MARK_S)
end

local function read_mark(text)
  return string.match(text or '', '^(%S+) (%S+) (%S+) (%d+) (%S+)$')
end

-- What a second request with the same key is told; nil if it may run, because the first one was
-- refused before it reached a site. A lease that ran out took the first one's end with it.
local function repeated(tag, text, fingerprint)
  local state, first, id, charged, outcome = read_mark(text)
  if not state then return nil end
  if state == 'running' then
    local hold = server.call('HMGET', hold_key(tag, id), 'state', 'charged')
    if hold[1] == 'released' then return nil end
    state = hold[1] or 'expired'
    charged = hold[2] or '0'
  end
  if first ~= fingerprint then return no('idempotency_other', id) end
  if state == 'open' then return no('idempotency_running', id, '0', '0', 1000) end
  if state == 'expired' then return no('idempotency_lost', id) end
  return no('idempotency_ended', id, charged, '0', 0, outcome)
end

local function end_mark(tag, id, hold, charged, outcome)
  local _, fingerprint = read_mark(server.call('GET', mark_key(tag, hold.mark)))
  if fingerprint then set_mark(tag, hold.mark, 'ended', fingerprint, id, charged, outcome) end
end

-- The answer to an admit: as it stands in the record, with the grant if the caller's is older.
local function admitted(tag, sha, answer, number, callers_number)
  if int(number) <= callers_number then return { 'ok', answer } end
  return { 'ok', answer, server.call('HGET', tag .. ':grant:' .. sha, 'blob') }
end

-- The same admit again: the same answer while its hold is open. An id is good for one request.
local function asked_before(tag, id, sha, callers_number)
  local state, by, answer, number = unpack(server.call('HMGET', hold_key(tag, id), 'state', 'sha', 'answer', 'grant'))
  if not state then return nil end
  if state == 'open' and by == sha and answer then return admitted(tag, sha, answer, number, callers_number) end
  return no('request_id_used')
end

local function is_skewed(id, ms)
  local born = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16)
  return not born or math.abs(born - ms) > SKEW_MS
end

-- ARGV: epoch, sha, request id, model, tokens in, tokens out, number of the caller's grant, kind,
-- mark of the Idempotency-Key or '', fingerprint of the request
local function admit(keys, argv)
  local tag = keys[1]
  local epoch, sha, id, model, kind, mark = argv[1], argv[2], argv[3], argv[4], argv[8], argv[9] or ''
  local tokens_in, tokens_out, callers_number = amount_of(argv[5]), amount_of(argv[6]), amount_of(argv[7])
  if mark ~= '' and not string.match(argv[10] or '', '^%S+$') then error({ err = 'ERR no fingerprint' }) end
  local ms = now_ms()
  local number, revoked, expires, rpm, concurrency, key, org, chain, tpm, price = unpack(
    server.call('HMGET', tag .. ':grant:' .. sha, 'number', 'revoked', 'expires', 'rpm',
      'concurrency', 'key', 'org', 'budgets', 'tpm', 'm:' .. model))
  local minute = str(math.floor(ms / 60000))
  local requests_name, tokens_name = rate_key(tag, key or '', minute), tokens_key(tag, key or '', minute)
  local open_at, requests, counted, marked = unpack(
    server.call('MGET', tag .. ':epoch', requests_name, tokens_name, mark_key(tag, mark)))
  if open_at ~= epoch then return no('closed', '', '0', '0', 1000) end
  if not number or revoked == '1' then return no('key_unknown') end
  if int(expires) > 0 and int(expires) <= ms then return no('key_expired') end
  if not price then return no('model_unknown', model) end
  price = cjson.decode(price)
  if price.kind ~= kind then return no('wrong_kind', model) end
  if not price.endpoint or not price.price_version then error({ err = 'ERR not a price of ' .. model }) end

  local before = asked_before(tag, id, sha, callers_number)
    or (is_skewed(id, ms) and no('clock_skew'))
    or (mark ~= '' and repeated(tag, marked, argv[10]))
  if before then return before end

  requests, counted, tpm = int(requests), int(counted), int(tpm)
  local reset, tokens = (int(minute) + 1) * 60000 - ms, tokens_in + tokens_out
  if requests >= int(rpm) then return no('rate', key, '0', rpm, reset) end
  if tpm > 0 and tokens > tpm - counted then
    local wait = tokens > tpm and 0 or reset -- too large by itself: no minute will take it
    return no('tokens', key, str(math.max(0, tpm - counted)), str(tpm), wait, str(tokens))
  end
  if int(server.call('HGET', tag .. ':busy', key)) >= int(concurrency) then
    return no('concurrency', key, '0', concurrency, 1000)
  end

  if tokens_in > MOST_TOKENS or tokens_out > MOST_TOKENS then return no('too_large') end
  local worst = worst_case(tokens_in, amount_of(price.price_in), tokens_out, amount_of(price.price_out))
  if worst > MAX then return no('too_large') end
  local month, subjects = this_month(ms), split(chain)
  local full, least = find_room(tag, subjects, month, worst, ms)
  if full then return full end

  for _, subject in ipairs(subjects) do add(tag, subject, 'h', month, worst) end
  if server.call('INCR', requests_name) == 1 then server.call('PEXPIRE', requests_name, str(reset + 60000)) end
  if tpm > 0 and server.call('INCRBY', tokens_name, str(tokens)) == tokens then
    server.call('PEXPIRE', tokens_name, str(reset + 60000))
  end
  server.call('HINCRBY', tag .. ':busy', key, 1)
  server.call('ZADD', tag .. ':leases', str(ms + LEASE_MS), id)
  local answer = table.concat({ str(worst), month, price.price_version, price.endpoint, rpm,
    str(int(rpm) - requests - 1), str(reset), least and str(least - worst) or '-', number, str(ms),
    str(tpm), str(math.max(0, tpm - counted - tokens)) }, ' ')
  -- Values of at most 128 bytes keep the record a listpack: less than half of a hash table's memory.
  local row = { 'state', 'open', 'worst', str(worst), 'month', month, 'budgets', chain, 'key', key,
    'sha', sha, 'org', org, 'grant', number, 'answer', answer }
  if tpm > 0 then row[#row + 1], row[#row + 2] = 'tokens', str(tokens) .. ' ' .. minute end
  if mark ~= '' then
    row[#row + 1], row[#row + 2] = 'mark', mark
    set_mark(tag, mark, 'running', argv[10], id, 0, '-')
  end
  server.call('HSET', hold_key(tag, id), unpack(row))
  return admitted(tag, sha, answer, number, callers_number)
end

-- ARGV: request ids. Returns those that were refused: their streams must end.
local function renew(keys, argv)
  local tag, ms, refused = keys[1], now_ms(), {}
  for _, id in ipairs(argv) do
    local hold = read_hold(tag, id)
    local live = hold and hold.state == 'open'
    if live then
      local grant = server.call('HMGET', tag .. ':grant:' .. hold.sha, 'revoked', 'expires')
      live = grant[1] == '0' and (int(grant[2]) == 0 or int(grant[2]) > ms)
    end
    if live then
      server.call('ZADD', tag .. ':leases', 'XX', str(ms + LEASE_MS), id)
    else
      refused[#refused + 1] = id
    end
  end
  return refused
end

-- ARGV: request id, cost, event, tokens used or '' if nobody knows, outcome. Harmless when
-- repeated. An unknown or released request leaves the counters alone: its event is marked late
-- and intake decides.
local function settle(keys, argv)
  local tag, id, cost, event = keys[1], argv[1], amount_of(argv[2]), argv[3]
  if not event then error({ err = 'ERR no event' }) end
  local used = amount_of(argv[4] and argv[4] ~= '' and argv[4] or MAX)
  local hold = read_hold(tag, id)
  local state, charged, late = hold and hold.state, 0, '0'
  if state == 'settled' then
    return { 'repeated', server.call('HGET', hold_key(tag, id), 'charged') or '0' }
  end
  if state ~= 'open' then must_be_validated(tag) end
  if state == 'open' then
    charged = math.min(cost, hold.worst)
    free_hold(tag, id, hold)
    give_back_tokens(tag, hold, used)
  elseif state == 'expired' then
    charged = fitting(tag, hold.budgets, hold.month, cost)
  else
    late = '1'
  end
  if late == '0' then
    for _, subject in ipairs(hold.budgets) do add(tag, subject, 's', hold.month, charged) end
    if hold.mark then end_mark(tag, id, hold, charged, string.match(argv[5] or '', '^%S+$') or '-') end
  end
  keep_end(tag, id, 'settled', charged)
  server.call('XADD', tag .. ':events', '*', 'event', event, 'settled_micro', str(charged),
    'written_off_micro', str(cost - charged), 'late', late)
  return { late == '1' and 'late' or 'settled', str(charged) }
end

-- ARGV: request id, cost, month, subjects. For events that settle found unknown: charged once,
-- as far as there is room. Not while the cell is closed: its counters may be too small.
local function charge_late(keys, argv)
  local tag, id, cost, month = keys[1], argv[1], amount_of(argv[2]), month_from(argv[3])
  local marker = tag .. ':late:' .. id
  local before = server.call('GET', marker)
  if before then return before end
  must_be_validated(tag)
  local subjects = published(tag, split(argv[4]), month)
  local charged = fitting(tag, subjects, month, cost)
  for _, subject in ipairs(subjects) do add(tag, subject, 's', month, charged) end
  server.call('SET', marker, str(charged), 'EX', KEEP_EXPIRED_S)
  return str(charged)
end

-- ARGV: request id. For a request that reached no site; also for one whose admit timed out and
-- may yet be executed: the tombstone refuses it then.
local function release(keys, argv)
  local tag, id = keys[1], argv[1]
  local hold = read_hold(tag, id)
  if hold and hold.state ~= 'open' then return hold.state end
  if hold then
    free_hold(tag, id, hold)
    give_back_tokens(tag, hold, 0)
    if hold.mark then server.call('DEL', mark_key(tag, hold.mark)) end
  end
  keep_end(tag, id, 'released', 0)
  return hold and 'released' or 'unknown'
end

-- At most 100 leases that ran out. Nothing is charged; an orphan is reported.
local function expire(keys)
  local tag = keys[1]
  local ids = server.call('ZRANGE', tag .. ':leases', '-inf', str(now_ms()), 'BYSCORE', 'LIMIT', '0', '100')
  for _, id in ipairs(ids) do
    local hold = read_hold(tag, id)
    if hold and hold.state == 'open' then
      free_hold(tag, id, hold)
      server.call('HSET', hold_key(tag, id), 'state', 'expired')
      server.call('EXPIRE', hold_key(tag, id), KEEP_EXPIRED_S)
      server.call('XADD', tag .. ':orphans', '*', 'request_id', id, 'organization', hold.org,
        'hold_micro', str(hold.worst))
    else
      server.call('ZREM', tag .. ':leases', id)
    end
  end
  return #ids
end

local function order_key(tag, ref, month) return tag .. ':order:' .. ref .. ':' .. month end

-- Orders whose reservation is neither committed nor freed yet, by the time of the reservation.
local function reserved_key(tag) return tag .. ':reserved' end

-- ARGV: reference, month, amount, subjects. An order's worst case is held until its row is kept.
local function reserve(keys, argv)
  local tag, ref, month, amount = keys[1], argv[1], month_from(argv[2]), amount_of(argv[3])
  local before = server.call('HMGET', order_key(tag, ref, month), 'state', 'amount')
  if before[1] then return { 'ok', before[1], before[2] } end
  local subjects = split(argv[4])
  local full = find_room(tag, subjects, month, amount)
  if full then return full end
  for _, subject in ipairs(subjects) do add(tag, subject, 'h', month, amount) end
  server.call('HSET', order_key(tag, ref, month), 'state', 'held', 'amount', str(amount), 'budgets', argv[4])
  server.call('ZADD', reserved_key(tag), str(now_ms()), month .. ':' .. ref)
  return { 'ok', 'held', str(amount) }
end

-- ARGV: reference, month, amount, subjects. Held or committed becomes committed with `amount`;
-- unknown is committed as well, because its row in PostgreSQL says so.
local function commit(keys, argv)
  local tag, ref, amount = keys[1], argv[1], amount_of(argv[3])
  local month, year, number = month_from(argv[2])
  local name = order_key(tag, ref, month)
  local before = server.call('HMGET', name, 'state', 'amount', 'budgets')
  local field = before[1] == 'committed' and 'c' or 'h'
  for _, subject in ipairs(split(before[3] or '')) do add(tag, subject, field, month, -int(before[2])) end
  for _, subject in ipairs(split(argv[4])) do add(tag, subject, 'c', month, amount) end
  server.call('HSET', name, 'state', 'committed', 'amount', str(amount), 'budgets', argv[4])
  local tomorrow = math.floor(now_ms() / 1000) + KEEP_EXPIRED_S
  local keep_until = math.max(days_of(year, number) * 86400 + KEEP_ORDER_S, tomorrow)
  server.call('EXPIREAT', name, str(keep_until))
  server.call('ZREM', reserved_key(tag), month .. ':' .. ref)
  return 'committed'
end

-- ARGV: reference, month. For an order whose row was not kept.
local function unreserve(keys, argv)
  local tag, ref, month = keys[1], argv[1], month_from(argv[2])
  local before = server.call('HMGET', order_key(tag, ref, month), 'state', 'amount', 'budgets')
  if before[1] ~= 'held' then return before[1] or 'unknown' end
  for _, subject in ipairs(split(before[3])) do add(tag, subject, 'h', month, -int(before[2])) end
  server.call('DEL', order_key(tag, ref, month))
  server.call('ZREM', reserved_key(tag), month .. ':' .. ref)
  return 'released'
end

-- ARGV: age in ms. At most 100 orders (month:reference) that have been held for longer: the
-- sweep looks for their rows and commits or frees them.
local function stale_orders(keys, argv)
  local before = str(now_ms() - amount_of(argv[1]))
  return server.call('ZRANGE', reserved_key(keys[1]), '-inf', before, 'BYSCORE', 'LIMIT', '0', '100')
end

-- The most that is used of a budget in this month or a later one.
local function most_used(tag, subject, month)
  local row, used, most = server.call('HGETALL', budget_key(tag, subject)), {}, 0
  for i = 1, #row, 2 do
    local field, of = string.match(row[i], '^([sch]):(.+)$')
    if field and of >= month then
      used[of] = (used[of] or 0) + int(row[i + 1])
      most = math.max(most, used[of])
    end
  end
  return most
end

-- ARGV: subject, limit, hard, number. A hard limit is never lowered below what is used, in this
-- month or committed in a later one.
local function set_limit(keys, argv)
  local tag, subject, limit, hard, number = keys[1], argv[1], amount_of(argv[2]), argv[3], amount_of(argv[4])
  local used = most_used(tag, subject, this_month(now_ms()))
  if int(server.call('HGET', budget_key(tag, subject), 'number')) > number then
    return { 'no', 'older_number', str(used) }
  end
  local known = server.call('HEXISTS', budget_key(tag, subject), 'limit') == 1
  if known and hard == '1' and limit < used then return { 'no', 'below_used', str(used) } end
  server.call('HSET', budget_key(tag, subject), 'limit', str(limit), 'hard', hard, 'number', str(number))
  return { 'ok', 'set', str(used) }
end

-- ARGV: subject, month. Returns limit, hard, spent, committed, held, or nothing.
local function read_budget(keys, argv)
  local budget = standing(keys[1], argv[1], argv[2])
  if not budget then return {} end
  local hard = budget.hard and '1' or '0'
  return { str(budget.limit), hard, str(budget.spent), str(budget.committed), str(budget.held) }
end

-- The id of the newest event that the cell's stream ever had.
local function last_event(tag)
  local name = tag .. ':events'
  if server.call('EXISTS', name) == 0 then return '0-0' end
  local about = server.call('XINFO', 'STREAM', name)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return about[i + 1] end
  end
end

-- ARGV: subject, month, spent, committed or '', id of the last event that was counted or ''.
-- Only while the cell is closed, and only if no settlement came since it was counted: otherwise
-- its charge would be overwritten.
local function restore(keys, argv)
  local tag, month, row = keys[1], month_from(argv[2]), {}
  row[1], row[2] = 's:' .. month, str(amount_of(argv[3]))
  if argv[4] ~= '' then row[3], row[4] = 'c:' .. month, str(amount_of(argv[4])) end
  if server.call('EXISTS', tag .. ':epoch') == 1 then return 'open' end
  if argv[5] and argv[5] ~= '' and argv[5] ~= last_event(tag) then return 'moved' end
  server.call('HSET', budget_key(tag, argv[1]), unpack(row))
  return 'restored'
end

-- ARGV: subject, limit, hard, number. Only while the cell is closed: the limit of the row counts,
-- also below what an older copy of the counters says is used. A newer number stays.
local function restore_limit(keys, argv)
  local tag, name, limit, number = keys[1], budget_key(keys[1], argv[1]), amount_of(argv[2]), amount_of(argv[4])
  if server.call('EXISTS', tag .. ':epoch') == 1 then return 'open' end
  if int(server.call('HGET', name, 'number')) > number then return 'older_number' end
  server.call('HSET', name, 'limit', str(limit), 'hard', argv[3], 'number', str(number))
  return 'restored'
end

-- ARGV: round, request id, sha, month, worst, budgets, key, org, grant. A hold that was admitted and
-- is live, said by its gateway: it counts again, without being refused.
local function reassert(keys, argv)
  local tag, id, month, worst = keys[1], argv[2], month_from(argv[4]), amount_of(argv[5])
  if server.call('GET', tag .. ':closed') ~= argv[1] then return 'over' end
  local before = read_hold(tag, id)
  local state = before and before.state
  if state == 'settled' or state == 'released' then return state end
  if state ~= 'open' then
    local subjects = published(tag, split(argv[6]), month)
    for _, subject in ipairs(subjects) do add(tag, subject, 'h', month, worst) end
    server.call('HINCRBY', tag .. ':busy', argv[7], 1)
    server.call('DEL', hold_key(tag, id))
    server.call('HSET', hold_key(tag, id), 'state', 'open', 'worst', str(worst), 'month', month,
      'budgets', table.concat(subjects, ','), 'key', argv[7], 'sha', argv[3], 'org', argv[8],
      'grant', argv[9])
  end
  server.call('ZADD', tag .. ':leases', str(now_ms() + LEASE_MS), id)
  return 'open'
end

-- ARGV: round, request id, cost, charged, event. A settlement that was acknowledged with this
-- charge, said by its gateway's journal: it stands again as it stood.
local function resettle(keys, argv)
  local tag, id, cost, charged = keys[1], argv[2], amount_of(argv[3]), amount_of(argv[4])
  if not argv[5] then error({ err = 'ERR no event' }) end
  if server.call('GET', tag .. ':closed') ~= argv[1] then return 'over' end
  local hold = read_hold(tag, id)
  if hold and hold.state == 'settled' then return 'repeated' end
  if hold and hold.state == 'open' then
    free_hold(tag, id, hold)
    for _, subject in ipairs(hold.budgets) do add(tag, subject, 's', hold.month, charged) end
  end
  keep_end(tag, id, 'settled', charged)
  server.call('XADD', tag .. ':events', '*', 'event', argv[5], 'settled_micro', str(charged),
    'written_off_micro', str(cost - charged), 'late', '0')
  return 'settled'
end

-- ARGV: sha, number, revoked, expires, rpm, concurrency, key, org, budgets, tpm, blob, then pairs of
-- model name and its price as JSON. An older number is refused; a revoked grant comes back only
-- with a newer one.
local function publish_grant(keys, argv)
  local name, number = keys[1] .. ':grant:' .. argv[1], amount_of(argv[2])
  local before = server.call('HMGET', name, 'number', 'revoked')
  if int(before[1]) > number then return 'older' end
  if int(before[1]) == number and before[2] == '1' and argv[3] ~= '1' then return 'older' end
  local row = { 'number', str(number), 'revoked', argv[3], 'expires', argv[4], 'rpm', argv[5],
    'concurrency', argv[6], 'key', argv[7], 'org', argv[8], 'budgets', argv[9], 'tpm', argv[10], 'blob', argv[11] }
  for i = 12, #argv, 2 do
    row[#row + 1] = 'm:' .. argv[i]
    row[#row + 1] = argv[i + 1]
  end
  server.call('DEL', name)
  for i = 1, #row, 100 do server.call('HSET', name, unpack(row, i, math.min(i + 99, #row))) end
  return 'published'
end

-- ARGV: epoch, run id of the server or nothing. Opens the cell for admission; an epoch older than
-- the last, or than the round that closed it, is refused.
local function open_cell(keys, argv)
  local epoch, tag = amount_of(argv[1]), keys[1]
  if int(server.call('GET', tag .. ':last_epoch')) > epoch then return 'older' end
  if int(server.call('GET', tag .. ':closed')) > epoch then return 'older' end
  server.call('DEL', tag .. ':closed')
  server.call('SET', tag .. ':last_epoch', str(epoch))
  server.call('SET', tag .. ':epoch', str(epoch))
  if argv[2] then server.call('SET', tag .. ':run', argv[2]) else server.call('DEL', tag .. ':run') end
  return 'open'
end

local function stream_id(text)
  local ms, number = string.match(text, '^(%d+)%-(%d+)$')
  return int(ms), int(number)
end

-- New events get ids above this one, also on a server whose clock or stream lies behind it.
local function advance(tag, to)
  local name = tag .. ':events'
  local ms, number = stream_id(to)
  local last_ms, last_number = stream_id(last_event(tag))
  if ms < last_ms or (ms == last_ms and number <= last_number) then return end
  if server.call('EXISTS', name) == 0 then -- an empty stream: made with a group, which goes again
    server.call('XGROUP', 'CREATE', name, 'made', '0', 'MKSTREAM')
    server.call('XGROUP', 'DESTROY', name, 'made')
  end
  server.call('XSETID', name, to)
end

-- ARGV: round, id of the last event that the ledger has; or nothing. An older round is refused.
local function close_cell(keys, argv)
  local tag = keys[1]
  if argv[1] then
    if int(server.call('GET', tag .. ':closed')) > amount_of(argv[1]) then return 'older' end
    server.call('SET', tag .. ':closed', argv[1])
  end
  server.call('DEL', tag .. ':epoch')
  if argv[2] then advance(tag, argv[2]) end
  return 'closed'
end

-- What an admit of this key would look at now: published, revoked, expires, limits, windows, chain.
local function use_of(tag, sha, minute, wanted)
  local name = tag .. ':grant:' .. sha
  local number, revoked, expires, rpm, concurrency, key, chain = unpack(server.call('HMGET', name,
    'number', 'revoked', 'expires', 'rpm', 'concurrency', 'key', 'budgets'))
  if not number then return { sha } end
  return { sha, revoked, expires, rpm, concurrency, chain,
    str(int(server.call('GET', rate_key(tag, key, minute)))),
    str(int(server.call('GET', tokens_key(tag, key, minute)))),
    str(int(server.call('HGET', tag .. ':busy', key))),
    sha == wanted and server.call('HGET', name, 'blob') or '' }
end

-- ARGV: hash of the key whose whole grant is wanted or '', then hashes of keys. Returns the time,
-- the epoch or '', ms until the next minute and the next month, this month, a row for each key,
-- and one for each budget of their chains: subject, then limit, hard, spent, committed, held.
local function read_limits(keys, argv)
  local tag, ms, rows, budgets, seen = keys[1], now_ms(), {}, {}, {}
  local minute, month = math.floor(ms / 60000), this_month(ms)
  for i = 2, #argv do
    local row = use_of(tag, argv[i], str(minute), argv[1])
    rows[#rows + 1] = row
    for _, subject in ipairs(split(row[6])) do
      local budget = not seen[subject] and standing(tag, subject, month)
      if budget then
        budgets[#budgets + 1] = { subject, str(budget.limit), budget.hard and '1' or '0',
          str(budget.spent), str(budget.committed), str(budget.held) }
      end
      seen[subject] = true
    end
  end
  return { str(ms), server.call('GET', tag .. ':epoch') or '', str((minute + 1) * 60000 - ms),
    str(until_next_month(ms)), month, rows, budgets }
end

-- Which text this is: a gateway is ready only with the functions that it was built with.
local function digest() return '@digest@' end

-- A full server refuses what would need more of it (admit, reserve) and does everything else:
-- running answers settle, holds end, keys are revoked, cells are closed and restored.
local function register(name, callback, flags)
  server.register_function{ function_name = name, callback = callback, flags = flags }
end

register('admit_2', admit, {})
register('reserve_2', reserve, {})
register('renew_2', renew, { 'allow-oom' })
register('settle_2', settle, { 'allow-oom' })
register('charge_late_2', charge_late, { 'allow-oom' })
register('release_2', release, { 'allow-oom' })
register('expire_2', expire, { 'allow-oom' })
register('commit_2', commit, { 'allow-oom' })
register('unreserve_2', unreserve, { 'allow-oom' })
register('stale_orders_2', stale_orders, { 'no-writes' })
register('set_limit_2', set_limit, { 'allow-oom' })
register('read_budget_2', read_budget, { 'no-writes' })
register('restore_2', restore, { 'allow-oom' })
register('restore_limit_2', restore_limit, { 'allow-oom' })
register('reassert_2', reassert, { 'allow-oom' })
register('resettle_2', resettle, { 'allow-oom' })
register('publish_grant_2', publish_grant, { 'allow-oom' })
register('open_cell_2', open_cell, { 'allow-oom' })
register('close_cell_2', close_cell, { 'allow-oom' })
register('library_2', digest, { 'no-writes' })
register('read_limits_2', read_limits, { 'no-writes' })
