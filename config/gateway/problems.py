"""The one table of error codes: what each means to a client, in its status, its advice and its page.

A code is a promise to client applications. `advice` tells a program what to do; the explanation and the remedy
tell a person, on the page `/docs/errors/<code>`.
"""

from dataclasses import dataclass
from typing import Final

FIX_REQUEST: Final = "fix_request"
RETRY_SAME_KEY: Final = "retry_same_key"
RETRY_LATER: Final = "retry_later"
DO_NOT_RETRY: Final = "do_not_retry"
ASK_CUSTOMER: Final = "ask_customer"

ADVICE_TEXTS: Final = {
    FIX_REQUEST: "Correct the request before it is sent again.",
    RETRY_SAME_KEY: "Send the same request again with the same Idempotency-Key: it can't happen twice.",
    RETRY_LATER: "Send it again later, not before Retry-After where it is given.",
    DO_NOT_RETRY: "Sending it again will end in the same way.",
    ASK_CUSTOMER: "The customer has to decide or to do something.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One error code; `retry_after_s` goes into the header Retry-After, 0 for none."""

    code: str
    status: int
    title: str
    advice: str
    explanation: str
    remedy: str
    retry_after_s: int = 0


_TABLE: Final = (
    Problem(
        "invalid_json", 400, "The body is not valid JSON", FIX_REQUEST,
        "The body could not be read as one JSON text in UTF-8. Duplicate members, NaN, Infinity, U+0000, half surrogate "
        "pairs and nesting deeper than 32 levels are refused as well, because two readers could understand them in two ways.",
        "Serialise the body with a JSON library and send it as application/json.",
    ),
    Problem(
        "validation_error", 400, "The request is not valid", FIX_REQUEST,
        "One or more values are missing, of the wrong type or outside their bounds. Amounts are integers in the "
        "currency's minor unit: 10.50 USD is 1050, and a float or a string is never an amount.",
        "Each entry of errors names a field and says what is wrong with it.",
    ),
    Problem(
        "unknown_field", 400, "The body has a field that is not known", FIX_REQUEST,
        "The body holds a member that this call doesn't have. It is refused rather than ignored, so that a typing error "
        "in an optional field can't pass unseen.",
        "Look the field's name up in the API reference and correct or remove it.",
    ),
    Problem(
        "unknown_parameter", 400, "The query has a parameter that is not known", FIX_REQUEST,
        "The query string holds a parameter that this call doesn't have. It is refused rather than ignored, since an "
        "ignored filter would answer with more than was asked for.",
        "Look the parameter's name up in the API reference and correct or remove it.",
    ),
    Problem(
        "invalid_cursor", 400, "The cursor is not valid", FIX_REQUEST,
        "The cursor was not made by this list, or has been altered.",
        "Follow the links next and previous as they stand, or start from the first page.",
    ),
    Problem(
        "idempotency_key_required", 400, "The call needs an Idempotency-Key", FIX_REQUEST,
        "Calls that move money or create a charge must carry the header Idempotency-Key, of 1 to 255 visible ASCII "
        "characters. With it a call that was answered by a time-out can be repeated without paying twice.",
        "Make a random key, such as a UUID, for each intended movement, keep it, and send it with every attempt.",
    ),
    Problem(
        "bad_request", 400, "The request can not be processed", FIX_REQUEST,
        "The request is malformed below the level of its fields: its host name, a header or its encoding can't be used.",
        "Compare the request with the API reference.",
    ),
    Problem(
        "payment_token_invalid", 400, "The payment token is not genuine", DO_NOT_RETRY,
        "The mobile wallet's payment token is malformed, or its signature doesn't lead to the scheme's own root. Which "
        "check it failed is not told.",
        "Send what the phone gave, unchanged, and as the type that the API reference names. Ask the phone for a new one.",
    ),
    Problem(
        "payment_token_expired", 400, "The payment token has expired", DO_NOT_RETRY,
        "Payment tokens are good for a few minutes from when the phone signed them.",
        "Let the customer confirm the payment again, and send the new token at once.",
    ),
    Problem(
        "payment_token_mismatch", 400, "The payment token is for another payment", DO_NOT_RETRY,
        "The phone signed this token for another session, amount or currency.",
        "Hand the session's payment request to the phone unchanged, applicationData included, and send the token to "
        "that session.",
    ),
    Problem(
        "payment_token_key_unknown", 400, "The payment token is for another key", DO_NOT_RETRY,
        "The token was encrypted to a key that isn't in use here: one that was rotated out, or another merchant's.",
        "Compare the client's merchant id with that of the server; the operator checks the keys that are configured.",
    ),
    Problem(
        "payment_token_simulated", 400, "The payment token comes from a simulator", FIX_REQUEST,
        "Apple's simulator has no secure element and gives an empty token.",
        "Use a real phone with a sandbox card, or the sandbox's own phone at POST /sandbox/devices/apple-pay.",
    ),
    Problem(
        "invalid_signature", 400, "The signature is not valid", DO_NOT_RETRY,
        "The body of this webhook was not signed with the secret that the provider shares with us, or more than five "
        "minutes ago. Nothing of it was kept.",
        "Compare the signing secret at the provider with the one that this installation has, and both clocks.",
    ),
    Problem(
        "not_authenticated", 401, "Authentication is needed", FIX_REQUEST,
        "The call needs an access token, or the credentials that were given don't belong together.",
        "Get a token from POST /api/v1/auth/token and send it as Authorization: Bearer followed by the token.",
    ),
    Problem(
        "invalid_token", 401, "The token is not valid", FIX_REQUEST,
        "The token is malformed, was signed by somebody else, has been revoked, or has been used before where one use is all it has.",
        "Log in again.",
    ),
    Problem(
        "token_expired", 401, "The token has expired", FIX_REQUEST,
        "Access tokens live for minutes, so that a stolen one is soon worthless.",
        "Get a new one from POST /api/v1/auth/token/refresh, then send the request again.",
    ),
    Problem(
        "second_factor_required", 401, "A one-time code is needed", FIX_REQUEST,
        "The password is right; this member of staff logs in with a second factor, or has to set one up first.",
        "Send what the authenticator shows as one_time_code, or set a second factor up in the back office.",
    ),
    Problem(
        "own_account", 403, "This is one's own account", DO_NOT_RETRY,
        "Nobody changes their own role, switches themselves off, or resets their own second factor.",
        "Ask another administrator.",
    ),
    Problem(
        "last_admin", 409, "This is the last administrator", DO_NOT_RETRY,
        "One active administrator always remains, or nobody could look after the staff any more.",
        "Make another administrator first.",
    ),
    Problem(
        "session_over", 401, "The session is over", FIX_REQUEST,
        "A session in the back office ends when nothing is done in it for a while, when its person logs out or changes the "
        "password, and when it is ended from elsewhere.",
        "Log in again; the way leads back to where you were.",
    ),
    Problem(
        "wrong_proof", 403, "The password or code is wrong", FIX_REQUEST,
        "Decisions about money, and changes of who may make them, ask once more who decides. A code is good for a minute and a "
        "half, and once.",
        "Give your password, or the code that your authenticator shows next.",
    ),
    Problem(
        "payment_declined", 402, "The payment was declined", ASK_CUSTOMER,
        "The card's issuer or the payment provider declined the charge; no money moved. decline_code tells why, as far as "
        "they say. The same key answers the same decline for ever.",
        "Let the customer choose another card or speak with the bank; then try with a new Idempotency-Key.",
    ),
    Problem(
        "permission_denied", 403, "The permission is missing", DO_NOT_RETRY,
        "The token is good, but its role doesn't hold the permission that this call needs.",
        "GET /api/v1/auth/me lists the permissions of a token. Ask an administrator for a role that holds it.",
    ),
    Problem(
        "csrf_failed", 403, "The form has expired", FIX_REQUEST,
        "The form was sent without the token that proves that it came from this site's own page, or with an old one.",
        "Allow cookies, load the page again and send the form from there.",
    ),
    Problem(
        "not_found", 404, "There is no such thing", DO_NOT_RETRY,
        "Nothing is found at this address. What belongs to somebody else is answered in the same words.",
        "Check the id and the path, and that the token is the owner's.",
    ),
    Problem(
        "method_not_allowed", 405, "The method is not allowed here", FIX_REQUEST,
        "This path exists, but not with this HTTP method. The header Allow lists those that it has.",
        "Use one of the methods in Allow.",
    ),
    Problem(
        "wallet_suspended", 409, "The wallet is suspended", DO_NOT_RETRY,
        "A suspended wallet takes part in no new payment, transfer, funding or hold. What was under way still completes.",
        "Wait until the operator reactivates the wallet.",
    ),
    Problem(
        "wallet_closed", 409, "The wallet is closed", DO_NOT_RETRY,
        "A closed wallet keeps its history and takes part in nothing new.",
        "Create a new wallet in the same currency.",
    ),
    Problem(
        "wallet_not_empty", 409, "The wallet is not empty", ASK_CUSTOMER,
        "Only a wallet with a balance of 0, no open hold and nothing pending can be closed.",
        "Spend or transfer the balance and let what is pending complete; then close it.",
    ),
    Problem(
        "wallet_exists", 409, "There is already an open wallet in this currency", DO_NOT_RETRY,
        "Each customer has at most one open wallet in each currency.",
        "Use the wallet that GET /api/v1/wallet lists.",
    ),
    Problem(
        "wallet_not_suspended", 409, "The wallet is not suspended", DO_NOT_RETRY,
        "Only a suspended wallet can be reactivated.",
        "Read the wallet's status.",
    ),
    Problem(
        "top_up_under_way", 409, "A top-up of the wallet is under way", RETRY_LATER,
        "A wallet is topped up by one charge at a time. The one before has not been answered for good yet.",
        "Read the wallet's payments; try again when the pending one is decided.",
    ),
    Problem(
        "session_consumed", 409, "The payment session has been used", DO_NOT_RETRY,
        "A payment session pays once, and never after it was cancelled.",
        "Start a new session for a new payment.",
    ),
    Problem(
        "payment_token_used", 409, "The payment token has been used", DO_NOT_RETRY,
        "A mobile wallet's payment token pays once.",
        "Let the customer confirm a new payment.",
    ),
    Problem(
        "hold_not_open", 409, "The hold is not open", DO_NOT_RETRY,
        "The hold has been captured in full, voided, or has expired.",
        "Read the hold's status.",
    ),
    Problem(
        "refund_not_pending", 409, "The refund is not pending", DO_NOT_RETRY,
        "Only a pending refund can be approved, rejected or cancelled.",
        "Read the refund's status: somebody else may have decided it.",
    ),
    Problem(
        "break_not_open", 409, "The break is not open", DO_NOT_RETRY,
        "A resolution can only be proposed for an open break of a settlement report.",
        "Read the break's status: somebody else may have proposed one, or its counterpart was found.",
    ),
    Problem(
        "break_not_proposed", 409, "Nothing is proposed for the break", DO_NOT_RETRY,
        "Only a break whose resolution has been proposed can be resolved or sent back.",
        "Read the break's status: somebody else may have decided on it.",
    ),
    Problem(
        "adjustment_not_pending", 409, "The adjustment is not pending", DO_NOT_RETRY,
        "Only a pending adjustment can be approved or rejected.",
        "Read the adjustment's status: somebody else may have decided it.",
    ),
    Problem(
        "idempotency_in_progress", 409, "The first request with this key is still running", RETRY_SAME_KEY,
        "A request with the same Idempotency-Key has not been answered yet. The duplicate waited for it and gave up.",
        "Send the same request with the same key again after Retry-After: it answers what the first one did.",
        retry_after_s=2,
    ),
    Problem(
        "already_refunded", 409, "It has already been refunded", DO_NOT_RETRY,
        "The whole amount of the transaction has been refunded or is being refunded. A transaction can't be reversed "
        "either once a part of it is.",
        "Read the transaction's refunds.",
    ),
    Problem(
        "payment_disputed", 409, "The charge is disputed", DO_NOT_RETRY,
        "The cardholder's bank has taken the money of this charge back, or may. A refund would give it twice.",
        "Answer the dispute at the payment provider. Once it is won, the rest of the charge can be refunded.",
    ),
    Problem(
        "already_reversed", 409, "It has already been reversed", DO_NOT_RETRY,
        "A transaction can be reversed once.",
        "Read the transaction: its reversal is linked.",
    ),
    Problem(
        "session_expired", 410, "The payment session has expired", DO_NOT_RETRY,
        "A payment session lives for 15 minutes.",
        "Start a new session.",
    ),
    Problem(
        "token_deleted", 410, "The saved token has been deleted", ASK_CUSTOMER,
        "The saved card or device was deleted and can't be charged any more.",
        "Let the customer choose or save another one.",
    ),
    Problem(
        "uri_too_long", 414, "The address is too long", FIX_REQUEST,
        "The address of a request, with its query, may have 4,094 bytes.",
        "Send what doesn't fit in the body of a call that takes one; follow a list's links instead of writing long filters.",
    ),
    Problem(
        "headers_too_large", 431, "The headers are too large", FIX_REQUEST,
        "A request may have 100 headers of up to 8,190 bytes each.",
        "Leave out what the API doesn't ask for, such as cookies of other sites.",
    ),
    Problem(
        "payload_too_large", 413, "The body is too large", FIX_REQUEST,
        "A body may have 1 MiB; a batch of transfers 8 MiB.",
        "Send less at a time.",
    ),
    Problem(
        "unsupported_media_type", 415, "The body is not of a supported type", FIX_REQUEST,
        "The API reads JSON alone.",
        "Send the body as JSON with Content-Type: application/json.",
    ),
    Problem(
        "target_unavailable", 422, "The target can not receive", DO_NOT_RETRY,
        "The target wallet can't receive this transfer: it is suspended, closed, full, or of another currency. Which of "
        "these is its owner's affair, and isn't told.",
        "Ask the recipient.",
    ),
    Problem(
        "batch_refused", 422, "The batch was refused as a whole", FIX_REQUEST,
        "The batch asked for all or none, and at least one of its transfers was refused. None was made.",
        "Each entry of errors names the index of a transfer and its code. Correct or remove those.",
    ),
    Problem(
        "insufficient_funds", 422, "The available balance does not cover the amount", ASK_CUSTOMER,
        "The available balance is the balance less what holds and pending debits have reserved.",
        "Fund the wallet or choose a smaller amount.",
    ),
    Problem(
        "limit_exceeded", 422, "A limit of the wallet would be exceeded", ASK_CUSTOMER,
        "The wallet has limits: its maximum balance, the most for each transaction, for each day and for each month in UTC.",
        "GET the wallet's limits; choose a smaller amount or wait for the next period.",
    ),
    Problem(
        "currency_mismatch", 422, "The currency is not the wallet's", FIX_REQUEST,
        "Each wallet holds one currency, and nothing is converted unasked.",
        "Send the amount in the wallet's currency.",
    ),
    Problem(
        "same_wallet", 422, "Source and target are the same wallet", FIX_REQUEST,
        "A transfer needs two wallets.",
        "Choose another target.",
    ),
    Problem(
        "amount_exceeds_remaining", 422, "The amount exceeds what remains", FIX_REQUEST,
        "No more can be captured, refunded or returned than what remains of the original amount.",
        "Read what remains and choose a smaller amount.",
    ),
    Problem(
        "not_reversible", 422, "It can not be reversed", DO_NOT_RETRY,
        "Only completed movements between accounts of this system can be reversed.",
        "Refund a payment; make an adjustment for everything else.",
    ),
    Problem(
        "not_refundable", 422, "It can not be refunded", DO_NOT_RETRY,
        "Only completed deposits from a card or mobile wallet, and payments to the merchant, can be refunded.",
        "Read the transaction's type and status. A transfer is reversed instead, or sent back.",
    ),
    Problem(
        "self_approval", 422, "Nobody approves their own request", DO_NOT_RETRY,
        "Whoever asks for a refund or an adjustment can't approve it.",
        "Ask a colleague who may decide.",
    ),
    Problem(
        "scheme_unavailable", 422, "The mobile wallet is not set up here", DO_NOT_RETRY,
        "This installation has no merchant identity or keys for this mobile wallet.",
        "Offer another way to pay; the operator finds what is missing in the configuration reference.",
    ),
    Problem(
        "idempotency_key_reused", 422, "The key was used for another request", FIX_REQUEST,
        "This Idempotency-Key belongs to a request with another method, path or body. One key has one effect, for ever.",
        "Make a new key for a new movement; repeat a movement only with exactly the same request.",
    ),
    Problem(
        "rate_limited", 429, "Too many requests", RETRY_LATER,
        "One of the quotas in the header RateLimit-Policy is used up.",
        "Wait for the seconds in Retry-After. The header RateLimit tells with each answer what remains.",
        retry_after_s=1,
    ),
    Problem(
        "internal_error", 500, "Something went wrong here", RETRY_SAME_KEY,
        "The server failed in a way that it didn't expect. The request id finds it in the logs.",
        "Send it again with the same Idempotency-Key; if it persists, tell the operator the request id.",
    ),
    Problem(
        "provider_error", 502, "The payment provider failed", RETRY_SAME_KEY,
        "The payment provider answered with an error before anything could have been charged.",
        "Send it again with the same Idempotency-Key, a little later.",
        retry_after_s=5,
    ),
    Problem(
        "unavailable", 503, "Not available at the moment", RETRY_SAME_KEY,
        "Something that the call needs was busy or out of reach. Nothing moved.",
        "Send it again with the same Idempotency-Key.",
        retry_after_s=1,
    ),
    Problem(
        "provider_timeout", 504, "The payment provider did not answer", RETRY_SAME_KEY,
        "The payment provider didn't answer in time, and nothing can have been charged.",
        "Send it again with the same Idempotency-Key, a little later.",
        retry_after_s=5,
    ),
)  # fmt: skip

PROBLEMS: Final = {problem.code: problem for problem in _TABLE}
