-- One atomic operation on the sessions of an account. Times are in milliseconds of this server's clock.
--
-- KEYS: leases   session -> when its owner counts as dead
--       claims   session -> when its reaper's claim expires
--       cooling  session -> when its released slot is free
--       ends     session -> when it can no longer run
--       state    heard: time of the last call; server: run id of Redis when leases were last used; sure: leases are reliable from this time on
-- An owner renews at least once per lease, so every living owner has renewed one lease after an outage.
-- ARGV: operation, lease, arguments of the operation. Returns the milliseconds to wait (0: done, -1: unknown), or a list of sessions.
local leases, claims, cooling, ends, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local operation, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- During an outage no owner could renew, and lost sessions may not have been recorded again yet. All owners get a lease to do so,
-- in which a caller need not call. Only the two operations that rely on leases check for a restart.
local heard = tonumber(redis.call('HGET', state, 'heard'))
local sure = tonumber(redis.call('HGET', state, 'sure') or 0)
local outage = not heard or now - math.max(heard, sure) > lease / 2
if heard and heard - now > 1000 then
    -- The clock was set back, and no entry may last longer than a new one.
    outage = true
    for _, key in ipairs({ leases, claims, cooling }) do
        for _, session in ipairs(redis.call('ZRANGEBYSCORE', key, now + lease, '+inf')) do
            -- The lease of a session without an owner lasts until its end.
            local is_held = key == leases and redis.call('ZSCORE', leases, session) == redis.call('ZSCORE', ends, session)
            if not is_held then
                redis.call('ZADD', key, now + lease, session)
            end
        end
    end
end
if operation == 'claim_abandoned' or operation == 'held' then
    local info = redis.pcall('INFO', 'server')
    local run = type(info) == 'string' and info:match('run_id:(%w+)') or ''
    if redis.call('HGET', state, 'server') ~= run then
        outage = true
        redis.call('HSET', state, 'server', run)
    end
end
if outage then
    sure = now + lease
    redis.call('HSET', state, 'sure', sure)
end
redis.call('HSET', state, 'heard', now)
local unsure = sure - now

for _, session in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now)) do
    redis.call('ZREM', leases, session)
    redis.call('ZREM', claims, session)
    redis.call('ZREM', ends, session)
end
redis.call('ZREMRANGEBYSCORE', cooling, '-inf', now)

if operation == 'acquire' or operation == 'hold' then
    local session, left, capacity = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
    -- A session that already has a slot keeps it, so that a call can be retried.
    if not redis.call('ZSCORE', leases, session) and capacity > 0 then
        local taken = redis.call('ZCARD', leases) + redis.call('ZCARD', claims) + redis.call('ZCARD', cooling)
        if taken >= capacity then
            local first = redis.call('ZRANGE', cooling, 0, 0, 'WITHSCORES')
            return first[2] and math.max(tonumber(first[2]) - now, 1) or -1
        end
    end
    local last = now + math.max(left, lease)
    -- No one renews a held session.
    redis.call('ZADD', leases, operation == 'hold' and last or now + lease, session)
    redis.call('ZADD', ends, last, session)
    return 0
end

if operation == 'renew' then
    local session, left = ARGV[3], tonumber(ARGV[4])
    -- A late renewal must not revive a session that was just released. An owner that renews lives, even if its clock says that the
    -- session has ended.
    if not redis.call('ZSCORE', cooling, session) then
        redis.call('ZREM', claims, session)
        redis.call('ZADD', leases, now + lease, session)
        redis.call('ZADD', ends, now + math.max(left, lease), session)
    end
    return 0
end

if operation == 'release' then
    local session, pause = ARGV[3], tonumber(ARGV[4])
    if redis.call('ZREM', leases, session) + redis.call('ZREM', claims, session) > 0 then
        redis.call('ZREM', ends, session)
        redis.call('ZADD', cooling, now + pause, session)
    end
    return 0
end

if operation == 'claim_abandoned' then
    local claim = tonumber(ARGV[3])
    if unsure > 0 then
        return unsure
    end
    local found = redis.call('ZRANGEBYSCORE', claims, '-inf', now)
    for _, session in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
        redis.call('ZREM', leases, session)
        found[#found + 1] = session
    end
    for _, session in ipairs(found) do
        redis.call('ZADD', claims, now + claim, session)
    end
    return found
end

if operation == 'held' then
    if unsure > 0 then
        return unsure
    end
    return redis.call('ZRANGEBYSCORE', leases, '(' .. string.format('%.0f', now), '+inf')
end

return redis.error_reply('unknown operation')
