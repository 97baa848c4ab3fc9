using System.CommandLine;
using System.CommandLine.Parsing;
using Tcpcp.Core;
using Tcpcp.Linux.Terminals;

namespace Tcpcp.Cli.Save;

/// <summary>What says by which key a file is encrypted.</summary>
internal sealed class KeyOptions
{
    private const int MaxPassphraseBytes = 4096;

    private readonly Option<bool> _ask = new("--passphrase") { Description = "Encrypted by a passphrase, which is asked for at the terminal." };

    private readonly Option<string> _passphraseFile = new("--passphrase-file")
    {
        Description = "Encrypted by the passphrase that is the first line of this file, /dev/fd/N or /dev/stdin.",
        HelpName = "FILE",
    };

    private readonly Option<string> _keyFile = new("--key-file")
    {
        Description = "Encrypted by the 32 bytes of this file (head -c 32 /dev/urandom).",
        HelpName = "FILE",
    };

    public void AddTo(Command command)
    {
        command.Add(_ask);
        command.Add(_passphraseFile);
        command.Add(_keyFile);
        command.Validators.Add(result =>
        {
            if (((Option[])[_ask, _passphraseFile, _keyFile]).Count(option => result.GetResult(option) is { Implicit: false }) > 1)
                result.AddError("Give one of --passphrase, --passphrase-file and --key-file: a file has one key.");
        });
    }

    /// <param name="parsed">The command line.</param>
    /// <param name="isNew">It is asked for twice: a slip would lock the connection away for ever.</param>
    /// <returns>The key that the options name; null if none does.</returns>
    /// <exception cref="UnusableFileException">It cannot be had.</exception>
    public SnapshotKey? Read(ParseResult parsed, bool isNew)
    {
        try
        {
            if (parsed.GetValue(_keyFile) is { } keyFile)
                return ReadKeyFile(keyFile);
            if (parsed.GetValue(_passphraseFile) is { } passphraseFile)
                return ReadPassphraseFile(passphraseFile);
            return parsed.GetValue(_ask) ? Ask(isNew) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnusableFileException($"The key cannot be read. {e.Message}", e);
        }
    }

    private static SnapshotKey ReadKeyFile(string path)
    {
        byte[] key = new byte[SnapshotKey.KeyBytes + 1];
        int length;
        using (FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0))
            length = file.ReadAtLeast(key, key.Length, throwOnEndOfStream: false);
        return length == SnapshotKey.KeyBytes
            ? SnapshotKey.OfBytes(key.AsSpan(0, length))
            : throw new UnusableFileException($"{path} has {(length > SnapshotKey.KeyBytes ? "more" : "fewer")} than {SnapshotKey.KeyBytes} bytes: " +
                $"it is no key. Make one: (umask 077; head -c {SnapshotKey.KeyBytes} /dev/urandom > FILE).");
    }

    private static SnapshotKey ReadPassphraseFile(string path)
    {
        char[] text = new char[MaxPassphraseBytes];
        int length;
        using (StreamReader file = new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0)))
            length = file.ReadBlock(text);
        int end = text.AsSpan(0, length).IndexOfAny('\r', '\n');
        if (end < 0 && length == text.Length)
            throw new UnusableFileException($"The first line of {path} is longer than {MaxPassphraseBytes} characters: that is no passphrase.");
        ReadOnlySpan<char> line = text.AsSpan(0, end < 0 ? length : end);
        return line.IsEmpty ? throw new UnusableFileException($"The first line of {path} is empty: write the passphrase there.") : SnapshotKey.OfPassphrase(line);
    }

    private static SnapshotKey Ask(bool isNew)
    {
        try
        {
            string passphrase = SecretPrompt.Ask("Passphrase: ");
            if (passphrase.Length == 0)
                throw new UnusableFileException("No passphrase was given.");
            if (isNew && SecretPrompt.Ask("The same again: ") != passphrase)
                throw new UnusableFileException("The two passphrases differ: begin again.");
            return SnapshotKey.OfPassphrase(passphrase);
        }
        catch (IOException e)
        {
            throw new UnusableFileException($"{e.Message} Give the passphrase by --passphrase-file.", e);
        }
    }
}
