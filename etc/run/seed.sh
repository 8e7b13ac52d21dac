# What a first start puts in: an administrator, a customer, the services' own accounts, items with stock. Every step may
# be done again without a second effect. Sourced by ./run.
# shellcheck shell=bash

ADMIN=admin@example.org
CUSTOMER=customer@example.org
ADMIN_PASSWORD=$STATE/conf/admin.password
CUSTOMER_PASSWORD=$STATE/conf/customer.password

# sku, name, price in cents, pieces
ITEMS='tea-darjeeling|Darjeeling, first flush, 100 g|1290|500
tea-assam|Assam, broken leaf, 250 g|990|500
kettle-cast-iron|Kettle, cast iron, 1 l|6450|40
cup-porcelain|Cup, porcelain|1480|200
strainer-steel|Strainer, stainless steel|790|120'

# api METHOD PATH [curl options…]: prints the body, then the status on a line of its own.
api() {
    local method=$1 path=$2
    shift 2
    curl --noproxy "*" -sS --max-time 30 -X "$method" -w '\n%{http_code}\n' -H 'Content-Type: application/json' "$@" "$URL$path"
}

status_of() {
    tail -n 1 <<<"$1"
}

body_of() {
    sed '$d' <<<"$1"
}

# expect ANSWER STATUS…: fails the start unless the answer has one of them.
expect() {
    local answer=$1 status
    shift
    for status in "$@"; do
        [[ $(status_of "$answer") != "$status" ]] || return 0
    done
    fail "seeding: expected $* and got: $answer"
}

make_password() {
    local file=$1
    [[ -s $file ]] || {
        head -c 15 /dev/urandom | base64 | tr '+/' 'xy' >"$file.new"
        mv "$file.new" "$file"
    }
}

# sign_in EMAIL PASSWORD-FILE: the answer of POST /v1/sessions.
sign_in() {
    jq -n --arg email "$1" --rawfile password "$2" '{$email, password: ($password | rtrimstr("\n"))}' |
        api POST /v1/sessions --data-binary @-
}

seed_admin() {
    local answer
    make_password "$ADMIN_PASSWORD"
    answer=$(sign_in "$ADMIN" "$ADMIN_PASSWORD")
    if [[ $(status_of "$answer") == 401 ]]; then
        tandemctl user create --config "$STATE/conf/tandem.conf" \
            --admin --email "$ADMIN" --name Administrator --password-file "$ADMIN_PASSWORD" >/dev/null ||
            fail "the administrator could not be created"
        answer=$(sign_in "$ADMIN" "$ADMIN_PASSWORD")
    fi
    expect "$answer" 201
    ADMIN_TOKEN=$(body_of "$answer" | jq -r .token)
}

# register EMAIL NAME PASSWORD-FILE
register() {
    local answer
    make_password "$3"
    answer=$(jq -n --arg email "$1" --arg name "$2" --rawfile password "$3" \
        '{$email, $name, password: ($password | rtrimstr("\n"))}' | api POST /v1/users -H "Idempotency-Key: seed-$1" --data-binary @-)
    expect "$answer" 201 409
}

# One of an earlier start is not, when that had its accounts in another database (--with).
token_is_known() {
    [[ -s $1 ]] && [[ $(status_of "$(api GET /v1/users/me -H "Authorization: Bearer $(<"$1")")") == 200 ]]
}

# A service calls others with a bearer token, which it reads from a file.
seed_service_token() {
    local email=$1@services.example.org token=$STATE/conf/$1.token password=$STATE/conf/$1.password said
    ! token_is_known "$token" || return 0
    rm -f "$token"
    make_password "$password"
    # It may be there already, when an earlier start was cut off here; what else is wrong, the next step meets too.
    said=$(tandemctl user create --config "$STATE/conf/tandem.conf" --service --email "$email" \
        --name "The $1 service" --password-file "$password" 2>&1) || true
    tandemctl token create --config "$STATE/conf/tandem.conf" --email "$email" --days 3650 --file "$token" >/dev/null ||
        fail "the token of $1 could not be made: $said"
}

seed_accounts() {
    local name
    seed_admin
    register "$CUSTOMER" "Demo Customer" "$CUSTOMER_PASSWORD"
    for name in inventory order; do
        seed_service_token "$name"
    done
}

seed_item() {
    local sku=$1 name=$2 price=$3 pieces=$4 answer
    local as_admin=(-H "Authorization: Bearer $ADMIN_TOKEN")
    answer=$(api GET "/v1/items/$sku")
    expect "$answer" 200 404
    [[ $(status_of "$answer") == 404 ]] || return 0
    answer=$(jq -n --arg name "$name" --argjson price "$price" \
        '{$name, price: {amount_minor: $price, currency: "EUR"}}' |
        api PUT "/v1/items/$sku" "${as_admin[@]}" --data-binary @-)
    expect "$answer" 200 201
    answer=$(api POST "/v1/items/$sku/stock" "${as_admin[@]}" -H "Idempotency-Key: seed-$sku" \
        -d "{\"delta\":$pieces,\"reason\":\"first delivery\"}")
    expect "$answer" 200 201
}

seed_items() {
    local sku name price pieces
    while IFS='|' read -r sku name price pieces; do
        seed_item "$sku" "$name" "$price" "$pieces"
    done <<<"$ITEMS"
}
