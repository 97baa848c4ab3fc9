using System.Buffers.Binary;
using System.Security.Cryptography;
using CsCheck;

namespace Tcpcp.Core.Tests.Snapshot;

public sealed class EncryptedSnapshotFileTests : IDisposable
{
    private const int HashBytes = 32;
    private const int EncryptedOffset = SnapshotFile.HeaderBytes + 32;

    private static readonly DateTimeOffset s_capturedAt = new(2026, 7, 1, 12, 0, 0, 123, 456, TimeSpan.Zero);

    private readonly SnapshotKey _key = SnapshotKey.OfBytes([.. Enumerable.Range(0, SnapshotKey.KeyBytes).Select(i => (byte)i)]);

    public void Dispose() => _key.Dispose();

    [Fact]
    public void Every_valid_snapshot_survives_the_file() => Gen.Select(Generators.Snapshot, Gen.Enum<SavedConnectionKind>()).Sample((snapshot, kind) =>
    {
        SnapshotFile read = SnapshotFile.Decode(File(snapshot, kind).Encode(_key), key: _key);
        Assert.Equal(SnapshotLeaves.Of(snapshot), SnapshotLeaves.Of(read.Snapshot));
        Assert.Equal((kind, s_capturedAt, "alpha"), (read.Kind, read.CapturedAt, read.Host));
    }, iter: 200);

    [Fact]
    public void Threads_that_share_a_key_read_and_write_each_their_own_files()
    {
        const int Files = 8, Rounds = 200;
        byte[][] others = [.. Enumerable.Range(0, Files).Select(_ =>
        {
            using SnapshotKey once = SnapshotKey.OfBytes([.. Enumerable.Range(0, SnapshotKey.KeyBytes).Select(i => (byte)i)]);
            return File(Examples.Snapshot, SavedConnectionKind.Released).Encode(once); // each by a salt of its own
        })];
        Parallel.For(0, Rounds, i =>
        {
            Assert.Equal(Examples.Snapshot.Connection, SnapshotFile.Decode(others[i % Files], key: _key).Snapshot.Connection);
            byte[] written = File(Examples.Snapshot, SavedConnectionKind.Released).Encode(_key);
            Assert.Equal(Examples.Snapshot.Connection, SnapshotFile.Decode(written, key: _key).Snapshot.Connection);
        });
    }

    [Fact]
    public void A_passphrase_opens_what_it_has_closed_and_another_one_does_not()
    {
        using SnapshotKey passphrase = SnapshotKey.OfPassphrase("correct horse – battery staple");
        byte[] file = File(Examples.Snapshot, SavedConnectionKind.Released).Encode(passphrase);
        using SnapshotKey same = SnapshotKey.OfPassphrase("correct horse – battery staple");
        Assert.Equal(Examples.Snapshot.Connection, SnapshotFile.Decode(file, key: same).Snapshot.Connection);
        using SnapshotKey other = SnapshotKey.OfPassphrase("correct horse - battery staple");
        Assert.Contains("another passphrase", Locked(file, other), StringComparison.Ordinal);
        Assert.True(BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(SnapshotFile.HeaderBytes)) >= 600_000);
    }

    // By the definitions of RFC 8018, RFC 5869 and SP 800-38D alone, as somebody else would read the file.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_file_is_what_its_description_says(bool byPassphrase)
    {
        using SnapshotKey key = byPassphrase ? SnapshotKey.OfPassphrase("secret") : SnapshotKey.OfBytes(new byte[SnapshotKey.KeyBytes]);
        byte[] file = File(Examples.Snapshot, SavedConnectionKind.Released).Encode(key);
        ReadOnlySpan<byte> content = file.AsSpan(SnapshotFile.HeaderBytes..^HashBytes);
        int iterations = BinaryPrimitives.ReadInt32BigEndian(content);
        byte[] derived = byPassphrase
            ? Rfc2898DeriveBytes.Pbkdf2("secret"u8, content[4..20], iterations, HashAlgorithmName.SHA256, 32)
            : HKDF.DeriveKey(HashAlgorithmName.SHA256, new byte[32], 32, content[4..20].ToArray(), "tcpcp saved connection"u8.ToArray());
        byte[] plain = new byte[content.Length - 48];
        using AesGcm cipher = new(derived, 16);
        cipher.Decrypt(content[20..32], content[32..^16], content[^16..], plain, file.AsSpan(0, EncryptedOffset));
        Assert.Equal("alpha", Wire.SavedConnection.Parser.ParseFrom(plain).Host);
        Assert.Equal(3u, BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(12))); // released, encrypted
    }

    [Fact]
    public void Nothing_of_the_connection_is_to_be_read_in_the_file_and_two_files_have_nothing_in_common()
    {
        byte[] bytes = [.. Enumerable.Repeat("the application's secret "u8.ToArray(), 40).SelectMany(part => part)];
        ConnectionSnapshot snapshot = Examples.Snapshot with { Unread = bytes, Window = Examples.Snapshot.Window with { RcvWnd = 65535 } };
        SnapshotFile file = File(snapshot, SavedConnectionKind.Released);
        Assert.NotEqual(-1, file.Encode().AsSpan().IndexOf("secret"u8));
        (byte[] first, byte[] second) = (file.Encode(_key), file.Encode(_key));
        Assert.Equal(-1, first.AsSpan().IndexOf("secret"u8));
        Assert.Equal(-1, first.AsSpan().IndexOf("alpha"u8));
        Assert.False(first.AsSpan(EncryptedOffset).SequenceEqual(second.AsSpan(EncryptedOffset)));
        Assert.False(first.AsSpan(EncryptedOffset - 12, 12).SequenceEqual(second.AsSpan(EncryptedOffset - 12, 12))); // the nonce
    }

    [Fact]
    public void Every_change_of_a_single_byte_is_refused_even_if_the_SHA_256_is_made_anew()
    {
        byte[] example = File(Examples.Snapshot, SavedConnectionKind.Released).Encode(_key);
        for (int place = 0; place < example.Length - HashBytes; place++)
        {
            byte[] file = [.. example];
            file[place] ^= 0x41;
            Refused(file, _key); // by the checksum
            SHA256.HashData(file.AsSpan(0, file.Length - HashBytes), file.AsSpan(file.Length - HashBytes));
            Refused(file, _key); // by the key, except what is known by its own name
        }
    }

    [Fact]
    public void What_may_be_done_with_a_file_cannot_be_changed_without_the_key()
    {
        byte[] file = File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(_key);
        Assert.Contains("somebody has changed it", Locked(Edited(file, edited => edited[15] |= 1), _key), StringComparison.Ordinal); // now it says: released
    }

    [Fact]
    public void A_damaged_file_is_told_from_a_wrong_key()
    {
        byte[] file = File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(_key);
        using SnapshotKey other = SnapshotKey.OfBytes(new byte[SnapshotKey.KeyBytes]);
        Assert.Contains("another key", Locked(file, other), StringComparison.Ordinal);
        for (int length = 0; length < file.Length; length += 7)
            Assert.Contains("cut", Invalid(file[..length], _key), StringComparison.Ordinal);
        file[^50] ^= 1;
        Assert.Contains("SHA-256", Invalid(file, other), StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_is_not_needed_one_that_is_missing_and_one_of_the_other_kind_are_named()
    {
        Assert.Contains("not encrypted", Locked(File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(), _key), StringComparison.Ordinal);
        byte[] file = File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(_key);
        Assert.Contains("by the bytes of a key file, and none was given", Locked(file, null), StringComparison.Ordinal);
        using SnapshotKey passphrase = SnapshotKey.OfPassphrase("x");
        Assert.Contains("not by a passphrase", Locked(file, passphrase), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(599_999)]
    [InlineData(20_000_001)]
    [InlineData(-1)]
    public void A_number_of_rounds_that_is_too_weak_or_keeps_its_reader_busy_is_refused(int iterations)
    {
        using SnapshotKey passphrase = SnapshotKey.OfPassphrase("x");
        byte[] file = Edited(File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(_key),
            edited => BinaryPrimitives.WriteInt32BigEndian(edited.AsSpan(SnapshotFile.HeaderBytes), iterations));
        Assert.Contains("rounds of PBKDF2", Invalid(file, passphrase), StringComparison.Ordinal);
    }

    [Fact]
    public void Content_that_is_too_short_to_be_encrypted_is_refused()
    {
        byte[] file = [.. File(Examples.Snapshot, SavedConnectionKind.Copy).Encode(_key)[..(SnapshotFile.HeaderBytes + 47)], .. new byte[HashBytes]];
        Assert.Contains("no encrypted one",
            Invalid(Edited(file, edited => BinaryPrimitives.WriteInt64BigEndian(edited.AsSpan(16), 47)), _key), StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_passphrase_and_a_key_of_another_length_are_the_callers_bugs()
    {
        Assert.Throws<ArgumentException>(() => SnapshotKey.OfPassphrase(""));
        Assert.Throws<ArgumentException>(() => SnapshotKey.OfBytes(new byte[31]));
    }

    private static SnapshotFile File(ConnectionSnapshot snapshot, SavedConnectionKind kind) => new(snapshot, kind, s_capturedAt, "alpha");

    private static void Refused(byte[] file, SnapshotKey key) =>
        Assert.True(Record.Exception(() => SnapshotFile.Decode(file, key: key)) is InvalidSnapshotException or SnapshotKeyException);

    private static string Locked(byte[] file, SnapshotKey? key) => Assert.Throws<SnapshotKeyException>(() => SnapshotFile.Decode(file, key: key)).Message;

    private static string Invalid(byte[] file, SnapshotKey key) => Assert.Throws<InvalidSnapshotException>(() => SnapshotFile.Decode(file, key: key)).Message;

    // As a writer without the key would have made it: with the right SHA-256.
    private static byte[] Edited(byte[] file, Action<byte[]> edit)
    {
        byte[] edited = [.. file];
        edit(edited);
        SHA256.HashData(edited.AsSpan(0, edited.Length - HashBytes), edited.AsSpan(edited.Length - HashBytes));
        return edited;
    }
}
