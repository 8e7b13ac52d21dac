# The story, played against the running system: each request as one could type it, and its answer. Sourced by ./run.
# shellcheck shell=bash

# step TITLE METHOD PATH [curl options…]: prints request and answer, keeps the body in ANSWER and the status in STATUS.
step() {
    local title=$1 method=$2 path=$3 data="" output i
    shift 3
    for ((i = 1; i <= $#; i++)); do
        [[ ${!i} != -d ]] || data=${*:i+1:1}
    done
    printf '\n── %s\n%s %s\n' "$title" "$method" "$path"
    [[ -z $data ]] || jq . <<<"$data"
    output=$(api "$method" "$path" "$@")
    ANSWER=$(body_of "$output") STATUS=$(status_of "$output")
    printf '→ %s\n' "$STATUS"
    [[ -z $ANSWER ]] || jq 'if has("token") then .token = "…" else . end' <<<"$ANSWER"
}

demands() {
    [[ $STATUS == "$1" ]] || fail "the story expected $1 here"
}

# Asks for the order until it is past the states that follow each other by themselves.
follow_order() {
    local path=$1 last="" status deadline=$((SECONDS + 15)) output
    shift
    printf '\n── Follow it\n'
    while ((SECONDS < deadline)); do
        output=$(api GET "$path" "$@")
        status=$(body_of "$output" | jq -r .status)
        [[ $status == "$last" ]] || printf 'GET %s → %s\n' "$path" "$status"
        last=$status
        [[ $status == placed || $status == reserved ]] || break
        sleep 0.02
    done
    [[ $last == paid ]] || fail "the order is $last, and should be paid"
}

demo_play() {
    [[ -r $STATE/demo.json ]] || fail "nothing runs from $STATE; start it with ./run start"
    URL=$(jq -r .url "$STATE/demo.json")
    local email="someone-$EPOCHSECONDS-$$@example.org" password="correct horse battery" sku body order
    local key="Idempotency-Key: story-$EPOCHSECONDS-$$"
    local -a as_me
    say "The story, at $URL"

    step "Register" POST /v1/users -H "$key-account" \
        -d "{\"email\":\"$email\",\"name\":\"Someone\",\"password\":\"$password\"}"
    demands 201
    step "Sign in" POST /v1/sessions -d "{\"email\":\"$email\",\"password\":\"$password\"}"
    demands 201
    as_me=(-H "Authorization: Bearer $(jq -r .token <<<"$ANSWER")")
    step "Look at the items" GET "/v1/items?limit=3"
    demands 200
    sku=$(jq -r '[.items[] | select(.stock.available >= 2)][0].sku // empty' <<<"$ANSWER")
    [[ $sku ]] || fail "no item is in stock"
    body="{\"lines\":[{\"sku\":\"$sku\",\"quantity\":2}]}"
    step "Place an order" POST /v1/orders "${as_me[@]}" -H "$key" -d "$body"
    demands 201
    order=$(jq -r .id <<<"$ANSWER")
    step "Send it again, with the same key: still the same order" POST /v1/orders "${as_me[@]}" \
        -H "$key" -d "$body"
    demands 201
    [[ $(jq -r .id <<<"$ANSWER") == "$order" ]] || fail "that made a second order"
    follow_order "/v1/orders/$order" "${as_me[@]}"
    step "Its history" GET "/v1/orders/$order/history" "${as_me[@]}"
    demands 200
    step "What is left in stock" GET "/v1/items/$sku"
    demands 200
    printf '\nAll that it took: ./run trace show %s\nThe order %s is paid.\n' "$order" "$order"
}
