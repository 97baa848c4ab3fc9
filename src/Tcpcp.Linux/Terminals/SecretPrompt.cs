using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Tcpcp.Linux.Terminals;

/// <summary>Asks for a secret at the terminal that controls this process, whatever standard input and output are; what is typed does not
/// show.</summary>
[KernelHeader("termios.h")]
internal static unsafe partial class SecretPrompt
{
    private const string Terminal = "/dev/tty";
    private const uint ECHO = 0x8; // bits/termios-c_lflag.h
    private const uint ECHONL = 0x40;
    private const int TCSAFLUSH = 2;
    private const int MaxBytes = 4096;

    /// <returns>One line, without its end.</returns>
    /// <exception cref="IOException">There is no terminal, or it was closed.</exception>
    public static string Ask(string question)
    {
        using FileStream stream = Open();
        SafeFileHandle terminal = stream.SafeFileHandle;
        TerminalSettings before = Get(terminal);
        TerminalSettings silent = before;
        silent.c_lflag = (before.c_lflag & ~ECHO) | ECHONL;
        // A signal that ends this process must not leave a terminal that shows nothing.
        PosixSignalRegistration[] registrations =
            [.. ((PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP, PosixSignal.SIGQUIT])
                .Select(signal => PosixSignalRegistration.Create(signal, _ => Set(terminal, before)))];
        try
        {
            if (!Set(terminal, silent))
                throw KernelException.Last("tcsetattr", Terminal);
            stream.Write(Encoding.UTF8.GetBytes(question));
            return ReadLine(stream);
        }
        finally
        {
            Set(terminal, before);
            foreach (PosixSignalRegistration registration in registrations)
                registration.Dispose();
        }
    }

    private static FileStream Open()
    {
        try
        {
            return new FileStream(Terminal, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"There is no terminal to ask at ({e.Message.TrimEnd('.')}).", e);
        }
    }

    private static string ReadLine(FileStream terminal)
    {
        byte[] line = new byte[MaxBytes];
        try
        {
            for (int length = 0; length < line.Length;)
            {
                int read = terminal.Read(line, length, 1);
                if (read == 0)
                    throw new IOException("The terminal was closed.");
                if (line[length] == '\n')
                    return Encoding.UTF8.GetString(line, 0, length);
                length++;
            }

            throw new IOException($"A line of more than {MaxBytes} bytes was typed.");
        }
        finally
        {
            Array.Clear(line);
        }
    }

    private static TerminalSettings Get(SafeFileHandle terminal)
    {
        TerminalSettings settings;
        return tcgetattr(terminal, &settings) == 0 ? settings : throw KernelException.Last("tcgetattr", Terminal);
    }

    private static bool Set(SafeFileHandle terminal, TerminalSettings settings) => tcsetattr(terminal, TCSAFLUSH, &settings) == 0;

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcgetattr(SafeFileHandle terminal, TerminalSettings* settings);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int tcsetattr(SafeFileHandle terminal, int actions, TerminalSettings* settings);

    [KernelHeader("termios.h", Structure = "struct termios")]
    [StructLayout(LayoutKind.Sequential)]
    private struct TerminalSettings
    {
        public uint c_iflag;
        public uint c_oflag;
        public uint c_cflag;
        public uint c_lflag;
        public byte c_line;
        public fixed byte c_cc[32];
        public uint c_ispeed;
        public uint c_ospeed;
    }
}
