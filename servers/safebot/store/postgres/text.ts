/** What PostgreSQL's text cannot hold, or would not give back as it was, and what stands for it. */
const UNFIT = /[\0\\"\ud800-\udfff]/

/** A text as it is kept: any that a caller may send. Different ones are kept differently. */
export function kept(text: string): string {
  return UNFIT.test(text) ? JSON.stringify(text).slice(1, -1) : text
}

/** A text that was kept. */
export function shown(text: string): string {
  return text.includes('\\') ? String(JSON.parse(`"${text}"`)) : text
}
