/** The most bytes of body that a request may have, inclusive: a delivery past it is refused, any other counts as empty. */
export const BODY_LIMIT = 1024 * 1024

/** What the service's own limiter lets through for one address. */
export const REQUEST_LIMIT = { atOnce: 20, perSecond: 10 } as const
