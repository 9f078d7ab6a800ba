#!lua name=dure_admission_1

-- The admission protocol: holds, settlements, limits. See docs/admission.md.
-- Rules kept by every function here:
--   * all checks come before the first write, because an error keeps earlier writes;
--   * amounts are integers of micro-won below 2^53, and numbers are written with %d:
--     tostring() would write 1e+15 and lose digits;
--   * the server's TIME is the only clock;
--   * every key begins with the cell's hash tag, given as KEYS[1].

local MAX = 9007199254740991 -- 2^53 - 1
local LEASE_MS = 60000
local SKEW_MS = 5000
local KEEP_S = 600           -- settled and released records answer repetitions for ten minutes
local KEEP_EXPIRED_S = 86400 -- a late settlement finds its expired hold for a day
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

local function no(reason, name, room, limit, retry_ms)
  return { 'no', reason, name or '', room or '0', limit or '0', str(retry_ms or 0) }
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

local function hold_key(tag, id) return tag .. ':hold:' .. id end

local function read_hold(tag, id)
  local state, worst, month, budgets, key, sha, org = unpack(server.call('HMGET', hold_key(tag, id),
    'state', 'worst', 'month', 'budgets', 'key', 'sha', 'org'))
  if not state then return nil end
  return { state = state, worst = int(worst), month = month, budgets = split(budgets), key = key, sha = sha, org = org }
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

-- What is kept of a request that ended: as little as answers a repetition.
local function keep_end(tag, id, state, charged)
  local name = hold_key(tag, id)
  server.call('DEL', name)
  server.call('HSET', name, 'state', state, 'charged', str(charged))
  server.call('EXPIRE', name, KEEP_S)
end

-- The answer to an admit, and once more to its repetition: out of the record. With the grant if
-- the caller's is older.
local function admitted(tag, id, sha, callers_number)
  local answer = server.call('HMGET', hold_key(tag, id), 'worst', 'month', 'price', 'endpoint',
    'rpm', 'rpm_left', 'reset', 'left', 'grant', 'at')
  table.insert(answer, 1, 'ok')
  if int(answer[10]) > callers_number then
    answer[12] = server.call('HGET', tag .. ':grant:' .. sha, 'blob')
  end
  return answer
end

-- ARGV: epoch, sha, request id, model, tokens in, tokens out, number of the caller's grant, kind
local function admit(keys, argv)
  local tag = keys[1]
  local epoch, sha, id, model, kind = argv[1], argv[2], argv[3], argv[4], argv[8]
  local tokens_in, tokens_out, callers_number = amount_of(argv[5]), amount_of(argv[6]), amount_of(argv[7])
  local ms = now_ms()
  if server.call('GET', tag .. ':epoch') ~= epoch then return no('closed', '', '0', '0', 1000) end
  local number, revoked, expires, rpm, concurrency, key, org, chain, price = unpack(
    server.call('HMGET', tag .. ':grant:' .. sha, 'number', 'revoked', 'expires', 'rpm',
      'concurrency', 'key', 'org', 'budgets', 'm:' .. model))
  if not number or revoked == '1' then return no('key_unknown') end
  if int(expires) > 0 and int(expires) <= ms then return no('key_expired') end
  if not price then return no('model_unknown', model) end
  price = cjson.decode(price)
  if price.kind ~= kind then return no('wrong_kind', model) end
  if not price.endpoint or not price.price_version then error({ err = 'ERR not a price of ' .. model }) end

  local before = server.call('HMGET', hold_key(tag, id), 'state', 'sha')
  if before[1] == 'open' and before[2] == sha then return admitted(tag, id, sha, callers_number) end
  if before[1] then return no('request_id_used') end
  local born = tonumber(string.sub(string.gsub(id, '-', ''), 1, 12), 16)
  if not born or math.abs(born - ms) > SKEW_MS then return no('clock_skew') end

  local minute = math.floor(ms / 60000)
  local rate_key = tag .. ':rate:' .. key .. ':' .. str(minute)
  local used, reset = int(server.call('GET', rate_key)), (minute + 1) * 60000 - ms
  if used >= int(rpm) then return no('rate', key, '0', rpm, reset) end
  local busy = int(server.call('HGET', tag .. ':busy', key))
  if busy >= int(concurrency) then return no('concurrency', key, '0', concurrency, 1000) end

  if tokens_in > MOST_TOKENS or tokens_out > MOST_TOKENS then return no('too_large') end
  local worst = worst_case(tokens_in, amount_of(price.price_in), tokens_out, amount_of(price.price_out))
  if worst > MAX then return no('too_large') end
  local month, subjects = month_of(ms), split(chain)
  local full, least = find_room(tag, subjects, month, worst, ms)
  if full then return full end

  for _, subject in ipairs(subjects) do add(tag, subject, 'h', month, worst) end
  server.call('INCR', rate_key)
  if used == 0 then server.call('PEXPIRE', rate_key, str(reset + 60000)) end
  server.call('HINCRBY', tag .. ':busy', key, 1)
  server.call('ZADD', tag .. ':leases', str(ms + LEASE_MS), id)
  -- Values of at most 64 bytes keep the record a listpack: less than half of a hash table's memory.
  server.call('HSET', hold_key(tag, id), 'state', 'open', 'worst', str(worst), 'month', month,
    'budgets', chain, 'key', key, 'sha', sha, 'org', org,
    'price', price.price_version, 'endpoint', price.endpoint,
    'rpm', rpm, 'rpm_left', str(int(rpm) - used - 1), 'reset', str(reset),
    'left', least and str(least - worst) or '', 'grant', number, 'at', str(ms))
  return admitted(tag, id, sha, callers_number)
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

-- ARGV: request id, cost, event. Harmless when repeated. An unknown or released request leaves
-- the counters alone: its event is marked late and intake decides.
local function settle(keys, argv)
  local tag, id, cost, event = keys[1], argv[1], amount_of(argv[2]), argv[3]
  if not event then error({ err = 'ERR no event' }) end
  local hold = read_hold(tag, id)
  local state, charged, late = hold and hold.state, 0, '0'
  if state == 'settled' then
    return { 'repeated', server.call('HGET', hold_key(tag, id), 'charged') or '0' }
  elseif state == 'open' then
    charged = math.min(cost, hold.worst)
    free_hold(tag, id, hold)
  elseif state == 'expired' then
    charged = fitting(tag, hold.budgets, hold.month, cost)
  else
    late = '1'
  end
  if late == '0' then
    for _, subject in ipairs(hold.budgets) do add(tag, subject, 's', hold.month, charged) end
  end
  keep_end(tag, id, 'settled', charged)
  server.call('XADD', tag .. ':events', '*', 'event', event, 'settled_micro', str(charged),
    'written_off_micro', str(cost - charged), 'late', late)
  return { late == '1' and 'late' or 'settled', str(charged) }
end

-- ARGV: request id, cost, month, subjects. For events that settle found unknown: charged once,
-- as far as there is room.
local function charge_late(keys, argv)
  local tag, id, cost, month = keys[1], argv[1], amount_of(argv[2]), month_from(argv[3])
  local marker = tag .. ':late:' .. id
  local before = server.call('GET', marker)
  if before then return before end
  local subjects = {}
  for _, subject in ipairs(split(argv[4])) do
    if standing(tag, subject, month) then subjects[#subjects + 1] = subject end
  end
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
  if hold then free_hold(tag, id, hold) end
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
  local used = most_used(tag, subject, month_of(now_ms()))
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

-- ARGV: subject, month, spent, committed or '', id of the last event that the ledger has or ''.
-- Only while the cell is closed, and only if no settlement came since the ledger was summed:
-- otherwise its charge would be overwritten.
local function restore(keys, argv)
  local tag, month, row = keys[1], month_from(argv[2]), {}
  row[1], row[2] = 's:' .. month, str(amount_of(argv[3]))
  if argv[4] ~= '' then row[3], row[4] = 'c:' .. month, str(amount_of(argv[4])) end
  if server.call('EXISTS', tag .. ':epoch') == 1 then return 'open' end
  if argv[5] and argv[5] ~= '' and argv[5] ~= last_event(tag) then return 'moved' end
  server.call('HSET', budget_key(tag, argv[1]), unpack(row))
  return 'restored'
end

-- ARGV: sha, number, revoked, expires, rpm, concurrency, key, org, budgets, blob, then pairs of
-- model name and its price as JSON. An older number is refused; a revoked grant comes back only
-- with a newer one.
local function publish_grant(keys, argv)
  local name, number = keys[1] .. ':grant:' .. argv[1], amount_of(argv[2])
  local before = server.call('HMGET', name, 'number', 'revoked')
  if int(before[1]) > number then return 'older' end
  if int(before[1]) == number and before[2] == '1' and argv[3] ~= '1' then return 'older' end
  local row = { 'number', str(number), 'revoked', argv[3], 'expires', argv[4], 'rpm', argv[5],
    'concurrency', argv[6], 'key', argv[7], 'org', argv[8], 'budgets', argv[9], 'blob', argv[10] }
  for i = 11, #argv, 2 do
    row[#row + 1] = 'm:' .. argv[i]
    row[#row + 1] = argv[i + 1]
  end
  server.call('DEL', name)
  for i = 1, #row, 100 do server.call('HSET', name, unpack(row, i, math.min(i + 99, #row))) end
  return 'published'
end

-- ARGV: epoch. Opens the cell for admission; an epoch older than the last is refused, also after
-- the cell was closed.
local function open_cell(keys, argv)
  local epoch, last = amount_of(argv[1]), keys[1] .. ':last_epoch'
  if int(server.call('GET', last)) > epoch then return 'older' end
  server.call('SET', last, str(epoch))
  server.call('SET', keys[1] .. ':epoch', str(epoch))
  return 'open'
end

local function close_cell(keys)
  server.call('DEL', keys[1] .. ':epoch')
  return 'closed'
end

-- A full server refuses what would need more of it (admit, reserve) and does everything else:
-- running answers settle, holds end, keys are revoked, cells are closed and restored.
local function register(name, callback, flags)
  server.register_function{ function_name = name, callback = callback, flags = flags }
end

register('admit_1', admit, {})
register('reserve_1', reserve, {})
register('renew_1', renew, { 'allow-oom' })
register('settle_1', settle, { 'allow-oom' })
register('charge_late_1', charge_late, { 'allow-oom' })
register('release_1', release, { 'allow-oom' })
register('expire_1', expire, { 'allow-oom' })
register('commit_1', commit, { 'allow-oom' })
register('unreserve_1', unreserve, { 'allow-oom' })
register('stale_orders_1', stale_orders, { 'no-writes' })
register('set_limit_1', set_limit, { 'allow-oom' })
register('read_budget_1', read_budget, { 'no-writes' })
register('restore_1', restore, { 'allow-oom' })
register('publish_grant_1', publish_grant, { 'allow-oom' })
register('open_cell_1', open_cell, { 'allow-oom' })
register('close_cell_1', close_cell, { 'allow-oom' })
