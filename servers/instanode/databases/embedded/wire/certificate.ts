import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

export interface ServerCertificate {
  /** For a client that wants to check: its own authority. */
  pem: string
  context: SecureContext
  /** What SCRAM binds to (`tls-server-end-point`, RFC 5929): the certificate's hash. */
  endPoint: Buffer
}

/** A certificate for this machine, signed by itself; made at the first encrypted connection (15 ms). */
export async function makeCertificate(): Promise<ServerCertificate> {
  const { generate } = await import('selfsigned')
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return {
    pem: made.cert,
    context: createSecureContext({ key: made.private, cert: made.cert }),
    endPoint: createHash('sha256').update(new X509Certificate(made.cert).raw).digest(),
  }
}
