/** Whether a text is what its bytes would be written as, padding included, in the standard or the URL-safe alphabet. */
export function isCanonicalBase64(text: string): boolean {
  if (text === '' || text.length % 4 !== 0) return false
  const standard = Buffer.from(text, 'base64').toString('base64')
  return standard === text || standard.replaceAll('+', '-').replaceAll('/', '_') === text
}

/** Whether a value is canonical base64 of exactly that many bytes. */
export function isBase64Of(bytes: number, value: unknown): value is string {
  return (
    typeof value === 'string' && isCanonicalBase64(value) && Buffer.from(value, 'base64').length === bytes
  )
}
