-- Accounts and their sessions.

-- email is the address as its owner writes it; email_key is what makes it one account (see account.h).
CREATE TABLE account (
    id            TEXT NOT NULL PRIMARY KEY,
    email         TEXT NOT NULL,
    email_key     TEXT NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('customer', 'admin', 'service')),
    status        TEXT NOT NULL CHECK (status IN ('active', 'deactivated')),
    password_hash TEXT NOT NULL,
    version       BIGINT NOT NULL CHECK (version > 0),
    created_us    BIGINT NOT NULL,
    updated_us    BIGINT NOT NULL
);

CREATE INDEX account_active_admin ON account (id) WHERE role = 'admin' AND status = 'active';

-- The token itself is stored nowhere. Sessions come from signing in, or are issued to a service by its operator.
CREATE TABLE session (
    token_digest  TEXT NOT NULL PRIMARY KEY,
    user_id       TEXT NOT NULL REFERENCES account (id),
    origin        TEXT NOT NULL CHECK (origin IN ('sign-in', 'issued')),
    created_us    BIGINT NOT NULL,
    expires_us    BIGINT NOT NULL
);

CREATE INDEX session_by_user ON session (user_id, created_us);
CREATE INDEX session_by_expiry ON session (expires_us);
