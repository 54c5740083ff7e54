/** Pages that the server renders itself. */
export const SIGN_IN = '/accounts/login/';
export const SIGN_OUT = '/accounts/logout/';
export const ADMIN = '/admin/';
/** The key under which the API lists admissions without a department. */
export const NO_DEPARTMENT = '__none__';
