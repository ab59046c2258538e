import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

export interface ServerCertificate {
  /** The certificate as PEM. It is self-signed, so a client can use it as its certificate authority. */
  pem: string
  context: SecureContext
  /** SHA-256 hash of the certificate, for SCRAM channel binding (`tls-server-end-point`, RFC 5929). */
  endPoint: Buffer
}

/**
 * Creates a self-signed certificate for localhost. Takes about 15 ms (measured), so it is created for the
 * first encrypted connection.
 */
export async function makeCertificate(): Promise<ServerCertificate> {
  const { generate } = await import('selfsigned')
  const generated = await generate([{ name: 'commonName', value: 'localhost' }], {
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
    pem: generated.cert,
    context: createSecureContext({ key: generated.private, cert: generated.cert }),
    endPoint: createHash('sha256').update(new X509Certificate(generated.cert).raw).digest(),
  }
}
