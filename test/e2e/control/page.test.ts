import { describe, expect, it } from 'vitest'
import { startControlled } from '../../support/clients/control.js'

const MOST_BYTES = 150_000

/** The page's parts, by what they are asked by. */
async function parts() {
  const { ask } = await startControlled()
  const html = await ask('GET', '/', undefined, { accept: 'text/html' })
  const named = [...html.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = '']) => path)
  const files = await Promise.all(named.map(async path => ({ path, answer: await ask('GET', path) })))
  return { ask, html, files }
}

describe('the page of the control plane', () => {
  it('has a script, a style sheet and an icon, each with its content type', async () => {
    const { html, files } = await parts()
    expect(html.status).toBe(200)
    expect(files.map(({ path, answer }) => [path, answer.status, answer.headers['content-type']])).toEqual([
      ['/page/icon.svg', 200, 'image/svg+xml'],
      ['/page/page.css', 200, 'text/css; charset=utf-8'],
      ['/page/page.js', 200, 'text/javascript; charset=utf-8'],
    ])
  })

  it(`has less than ${MOST_BYTES} bytes in total`, async () => {
    const { html, files } = await parts()
    const sizes = [html, ...files.map(({ answer }) => answer)].map(({ body }) => Buffer.byteLength(body))
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(MOST_BYTES)
  })

  it('loads scripts and styles only from this server, and never interprets text as markup', async () => {
    const { html, files } = await parts()
    for (const { headers } of [html, ...files.map(({ answer }) => answer)]) {
      const policy = String(headers['content-security-policy'])
      expect(policy.split('; ')).toEqual(
        expect.arrayContaining([
          "default-src 'none'",
          "script-src 'self'",
          "style-src 'self'",
          "connect-src 'self'",
          "frame-ancestors 'none'",
          "require-trusted-types-for 'script'",
        ]),
      )
      expect(policy).not.toContain('unsafe')
    }
    expect(html.body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=/)
  })

  it('cannot be loaded by pages of other sites', async () => {
    const { ask } = await startControlled()
    const answer = await ask('GET', '/', undefined, { accept: 'text/html', host: 'rebound.example' })
    expect(answer.status).toBe(403)
  })

  it('serves only its own files', async () => {
    const { ask } = await startControlled()
    for (const path of ['/page/', '/page/page.html', '/page/..%2f..%2fpackage.json', '/page/page.js/x']) {
      expect([path, (await ask('GET', path)).status]).toEqual([path, 404])
    }
  })
})
