using System.Security.Cryptography;
using System.Text;

namespace Tcpcp.Core;

/// <summary>What saved connections are encrypted by: a passphrase, or 32 secret bytes. Its secret is wiped from memory with the scope. Thread-safe, but for <see cref="Dispose"/>.</summary>
public sealed class SnapshotKey : IDisposable
{
    /// <summary>Length of a key that is not a passphrase, in bytes.</summary>
    public const int KeyBytes = 32;

    /// <summary>Rounds of PBKDF2 for a passphrase (OWASP, Password Storage Cheat Sheet); a file with fewer is refused.</summary>
    internal const int MinIterations = 600_000;

    // Who makes a file must not keep its reader busy for minutes.
    internal const int MaxIterations = 20_000_000;

    internal const int SaltBytes = 16;

    private readonly byte[] _secret;
    private readonly Lock _lock = new();
    private readonly List<Derivation> _derivations = []; // one that is not the last any more may be in use by another thread

    private SnapshotKey(byte[] secret, bool isPassphrase) => (_secret, IsPassphrase) = (secret, isPassphrase);

    internal bool IsPassphrase { get; }

    /// <summary>A passphrase, in UTF-8.</summary>
    /// <exception cref="ArgumentException">It is empty.</exception>
    public static SnapshotKey OfPassphrase(ReadOnlySpan<char> passphrase)
    {
        if (passphrase.IsEmpty)
            throw new ArgumentException("The passphrase is empty.", nameof(passphrase));
        byte[] secret = new byte[Encoding.UTF8.GetByteCount(passphrase)];
        Encoding.UTF8.GetBytes(passphrase, secret);
        return new SnapshotKey(secret, isPassphrase: true);
    }

    /// <summary>A key of 32 random bytes.</summary>
    /// <exception cref="ArgumentException">It has another length.</exception>
    public static SnapshotKey OfBytes(ReadOnlySpan<byte> key) => key.Length == KeyBytes
        ? new SnapshotKey(key.ToArray(), isPassphrase: false)
        : throw new ArgumentException($"The key has {key.Length} bytes, not {KeyBytes}.", nameof(key));

    /// <summary>Does now what takes long with a passphrase (a part of a second), so that a connection that is saved later does not wait for it.</summary>
    public void Prepare() => _ = ForWriting();

    /// <summary>Wipes the secret.</summary>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(_secret);
        foreach (Derivation derivation in _derivations)
            derivation.Wipe();
        _derivations.Clear();
    }

    /// <summary>The last one, of a file that was read or of an earlier one that was written; else a new one.</summary>
    internal Derivation ForWriting()
    {
        lock (_lock)
            return _derivations.Count > 0 ? _derivations[^1] : Add(RandomNumberGenerator.GetBytes(SaltBytes), IsPassphrase ? MinIterations : 0);
    }

    internal Derivation Derive(ReadOnlySpan<byte> salt, int iterations)
    {
        lock (_lock)
        {
            foreach (Derivation one in _derivations)
            {
                if (one.Iterations == iterations && salt.SequenceEqual(one.Salt))
                    return one;
            }

            return Add(salt, iterations);
        }
    }

    private Derivation Add(ReadOnlySpan<byte> salt, int iterations)
    {
        byte[] key = new byte[KeyBytes];
        if (IsPassphrase)
            Rfc2898DeriveBytes.Pbkdf2(_secret, salt, key, iterations, HashAlgorithmName.SHA256);
        else
            HKDF.DeriveKey(HashAlgorithmName.SHA256, _secret, key, salt, "tcpcp saved connection"u8);
        _derivations.Add(new Derivation(salt.ToArray(), iterations, key));
        return _derivations[^1];
    }

    /// <summary>The key of files with one salt; each has a nonce of its own.</summary>
    internal sealed record Derivation(byte[] Salt, int Iterations, byte[] Key)
    {
        public void Wipe() => CryptographicOperations.ZeroMemory(Key);
    }
}
