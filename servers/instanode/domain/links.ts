/** The service's own site: its answers point there, and so do the stand-in's, which serves no pages. */
const SITE = 'https://instanode.dev'

/** Where an anonymous caller can make an account, and keep what it has by way of its token. */
export function startUrl(token?: string): string {
  return token === undefined ? `${SITE}/start` : `${SITE}/start?token=${token}`
}

/** Where an account can be upgraded, for the sake of a resource. */
export function pricingUrl(token?: string): string {
  return token === undefined ? `${SITE}/pricing.html` : `${SITE}/pricing.html?token=${token}`
}

export function dashboardUrl(): string {
  return `${SITE}/dashboard.html`
}

/** @param path with its slash */
export function siteUrl(path: string): string {
  return `${SITE}${path}`
}
