import { type Verifier, verify } from '../../provider.js'

/** The client broke the exchange's rules (not: got the password wrong). */
export class BadExchange extends Error {}

/** Without a certificate to bind to, the plain mechanism alone is offered. */
export const PLAIN = 'SCRAM-SHA-256'
export const BOUND = 'SCRAM-SHA-256-PLUS'

/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, 7677), as PostgreSQL speaks it: the user's name in the exchange is
 * ignored, since the startup message has said it.
 */
export class ScramExchange {
  #clientHeader = ''
  #clientFirst = ''
  #serverFirst = ''
  readonly #mechanism: string

  /**
   * @param mechanism the client's choice
   * @param nonce the server's, 18 random bytes in base64
   * @param certificate hash of the connection's certificate (`tls-server-end-point`), if it is encrypted
   * @throws BadExchange for a mechanism that was not offered
   */
  constructor(
    mechanism: string,
    readonly verifier: Verifier,
    readonly nonce: string,
    readonly certificate: Buffer | undefined,
  ) {
    if (mechanism !== PLAIN && !(mechanism === BOUND && certificate !== undefined))
      throw new BadExchange('client selected an invalid SASL authentication mechanism')
    this.#mechanism = mechanism
  }

  /** @returns the server's first message */
  first(message: string): string {
    const parts =
      /^((p=tls-server-end-point|n|y),(?:a=[^,]*)?,)((?:n=[^,]*),r=([\x21-\x2b\x2d-\x7e]+))(?:,.*)?$/.exec(
        message,
      )
    const [, header, flag, bare, clientNonce] = parts ?? []
    if (header === undefined || bare === undefined) throw new BadExchange('malformed SCRAM message')
    if ((flag === 'p=tls-server-end-point') !== (this.#mechanism === BOUND))
      throw new BadExchange('malformed SCRAM message: channel binding does not fit the mechanism')
    // "y": the client can bind and believes that the server cannot. If it was offered, somebody took it out on the way.
    if (flag === 'y' && this.certificate !== undefined)
      throw new BadExchange('SCRAM channel binding negotiation error')
    this.#clientHeader = header
    this.#clientFirst = bare
    this.#serverFirst = `r=${clientNonce}${this.nonce},s=${this.verifier.salt},i=${this.verifier.iterations}`
    return this.#serverFirst
  }

  /** @returns the server's final message, or undefined if the password is wrong */
  final(message: string): string | undefined {
    const parts = /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/.exec(message)
    const [, withoutProof, binding, nonce, proof] = parts ?? []
    if (withoutProof === undefined || proof === undefined) throw new BadExchange('malformed SCRAM message')
    if (!this.#serverFirst.startsWith(`r=${nonce},`)) throw new BadExchange('SCRAM nonce does not match')
    if (binding !== this.#expectedBinding().toString('base64'))
      throw new BadExchange('SCRAM channel binding check failed')
    const exchange = `${this.#clientFirst},${this.#serverFirst},${withoutProof}`
    const signature = verify(this.verifier, exchange, Buffer.from(proof, 'base64'))
    return signature === undefined ? undefined : `v=${signature.toString('base64')}`
  }

  #expectedBinding(): Buffer {
    const header = Buffer.from(this.#clientHeader)
    const bound = this.#mechanism === BOUND ? this.certificate : undefined
    return bound === undefined ? header : Buffer.concat([header, bound])
  }
}
