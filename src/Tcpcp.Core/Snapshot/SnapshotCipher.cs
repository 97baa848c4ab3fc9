using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Tcpcp.Core;

/// <summary>The content of an encrypted saved connection: AES-256-GCM.</summary>
/// <remarks>
/// <code>
/// offset   0            4      20      32              32 + n
///          | iterations | salt | nonce | encrypted     | tag  |
/// </code>
/// With a passphrase the key is PBKDF2-HMAC-SHA256(passphrase, salt, iterations); with 32 bytes of a key file, where iterations is 0, it is
/// HKDF-SHA256(bytes, salt, "tcpcp saved connection"). Authenticated with it is the file's header, and all of the above before the
/// encrypted bytes.
/// </remarks>
internal static class SnapshotCipher
{
    private const int SaltOffset = 4;
    private const int NonceBytes = 12;
    private const int NonceOffset = SaltOffset + SnapshotKey.SaltBytes;
    private const int EncryptedOffset = NonceOffset + NonceBytes;
    private const int TagBytes = 16;

    /// <summary>How many bytes longer it is than what it protects.</summary>
    public const int OverheadBytes = EncryptedOffset + TagBytes;

    /// <summary>Encrypts in place.</summary>
    /// <param name="header">The file's header.</param>
    /// <param name="content">The plain bytes stand where the encrypted ones are to be (<see cref="PlainOf"/>); all else is written.</param>
    public static void Encrypt(ReadOnlySpan<byte> header, Span<byte> content, SnapshotKey key)
    {
        SnapshotKey.Derivation derived = key.ForWriting();
        BinaryPrimitives.WriteInt32BigEndian(content, derived.Iterations);
        derived.Salt.CopyTo(content[SaltOffset..]);
        Span<byte> nonce = content.Slice(NonceOffset, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using AesGcm cipher = new(derived.Key, TagBytes);
        cipher.Encrypt(nonce, PlainOf(content), PlainOf(content), content[^TagBytes..], [.. header, .. content[..EncryptedOffset]]);
    }

    /// <summary>Where the plain bytes stand, or stood.</summary>
    public static Span<byte> PlainOf(Span<byte> content) => content[EncryptedOffset..^TagBytes];

    /// <exception cref="InvalidSnapshotException">It is too short, or says that the key is derived in a way that cannot be.</exception>
    /// <exception cref="SnapshotKeyException">The key does not fit.</exception>
    public static byte[] Decrypt(ReadOnlySpan<byte> header, ReadOnlySpan<byte> content, SnapshotKey? key)
    {
        if (content.Length < OverheadBytes)
            throw new InvalidSnapshotException($"It says that it is encrypted, but its content has {content.Length} bytes: that is no encrypted one.");
        int iterations = BinaryPrimitives.ReadInt32BigEndian(content);
        if (iterations is not 0 and (< SnapshotKey.MinIterations or > SnapshotKey.MaxIterations))
            throw new InvalidSnapshotException($"It says that its key is made by {iterations} rounds of PBKDF2, " +
                $"not by {SnapshotKey.MinIterations} to {SnapshotKey.MaxIterations}.");
        bool byPassphrase = iterations != 0;
        string what = byPassphrase ? "a passphrase" : "the bytes of a key file";
        if (key is null)
            throw new SnapshotKeyException($"It is encrypted by {what}, and none was given.");
        if (key.IsPassphrase != byPassphrase)
            throw new SnapshotKeyException($"It is encrypted by {what}, not by {(byPassphrase ? "the bytes of a key file" : "a passphrase")}.");
        byte[] plain = new byte[content.Length - OverheadBytes];
        try
        {
            using AesGcm cipher = new(key.Derive(content.Slice(SaltOffset, SnapshotKey.SaltBytes), iterations).Key, TagBytes);
            cipher.Decrypt(content.Slice(NonceOffset, NonceBytes), content[EncryptedOffset..^TagBytes], content[^TagBytes..], plain,
                [.. header, .. content[..EncryptedOffset]]);
            return plain;
        }
        catch (AuthenticationTagMismatchException e)
        {
            throw new SnapshotKeyException($"It is encrypted by {(byPassphrase ? "another passphrase" : "another key")}, or somebody has changed it " +
                "and made its SHA-256 anew.", e);
        }
    }
}
