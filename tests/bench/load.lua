-- One load for wrk: `paths` GETs the lines of a file in turn; `records` PUTs records of new guests.
-- Arguments after `--`: mode, file of paths or a number that makes this run's records its own, pause in ms.
local headers, paths, mode, pause, run, thread_count = {}, {}, "paths", 0, "", 0

function setup(thread)
    thread:set("number", thread_count)
    thread_count = thread_count + 1
end

function init(args)
    mode, pause = args[1], tonumber(args[3])
    if mode == "paths" then
        for line in io.lines(args[2]) do paths[#paths + 1] = line end
    else
        run = args[2]
    end
    math.randomseed(number + 1 + 1000 * (tonumber(run) or 0))
    if pause == 0 then delay = nil end
end

-- A connection that waits between requests offers a given load instead of all it can.
function delay() return math.floor(pause + math.random()) end

-- People who are nobody's namesakes: what resembles each other would become one guest.
local function word()
    local letters = {}
    for at = 1, 9 do letters[at] = string.char(97 + math.random(0, 25)) end
    return table.concat(letters)
end

local made = 0
function request()
    made = made + 1
    if mode == "paths" then return wrk.format("GET", paths[made % #paths + 1]) end
    local id = string.format("%s%d%05d", run, number, made)
    local day = string.format("19%02d-%02d-%02d", math.random(30, 99), math.random(1, 12), math.random(1, 28))
    local body = BODY:gsub("@ID@", id):gsub("@SURNAME@", word()):gsub("@GIVEN@", word()):gsub("@DAY@", day)
    return wrk.format("PUT", "/v1/records/bench/" .. id, nil, body)
end

BODY = [[{"guest":{"name":{"surname":"@SURNAME@","given":"@GIVEN@","prefix":"MR"},"gender":1,"birth_date":"@DAY@",
"nationality":"PT","preferred_language":"pt","phones":[{"number":"+35191@ID@"}],
"emails":[{"address":"b@ID@@guests.example"}],"postal_addresses":[{"lines":["Rua @ID@"],"city":"Lisboa","country":"PT"}],
"memberships":[{"program":"CLUB","number":"CL@ID@7"}],"id_documents":[{"type":"social","issuing_country":"PT","number":"B@ID@"}]}}]]
