/** How often the screens ask again. The ward sees a file within 5 seconds of its arrival, so the board asks well within that. */
export const BOARD_POLL_MS = 1_500;
export const SEARCH_POLL_MS = 2_500;
export const FEEDS_POLL_MS = 3_000;
export const PATIENT_POLL_MS = 3_000;
/** An answer that takes longer counts as none: a hanging connection must not look like a live one. */
export const ANSWER_TIMEOUT_MS = 8_000;
/** Data older than this, with the last question unanswered, is called stale. */
export const STALE_AFTER_MS = 5_000;
export const PAGE_SIZE = 100;
