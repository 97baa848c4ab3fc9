using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Tcpcp.Agent.Link;

namespace Tcpcp.Cli.Certificates;

/// <summary><c>tcpcp cert</c>: a small authority for those who have none.</summary>
internal static class CertificateCommand
{
    private const int AuthorityDays = 3650;
    private const int HostDays = 365;
    private const int MaxDays = 7300;
    private const string AuthorityName = "authority";

    private const string Help = """
        Makes certificates for the agents of a few hosts. Who has an authority already uses that: an agent needs a certificate for both
        server and client authentication, whose DNS name is the agent's name, its key, and the authority's certificate, all in PEM.

        Keep the authority's key on one host that runs no service, or offline: whoever has it can be any agent. Each host gets only its own
        NAME.pem, NAME.key and authority.pem. Agents read the files again when they change.

        Exit codes: 0 made; 1 a file could not be read or written, nothing was overwritten; 2 wrong use, or a file is there already.

        Examples:
          tcpcp cert authority --out authority
          tcpcp cert host host-a.example --authority authority --out /etc/tcpcp
          tcpcp cert host host-a.example --authority authority --out /etc/tcpcp --days 90 --force    # renews it
        """;

    public static Command Create() => new("cert", Help) { CreateAuthority(), CreateHost() };

    private static Command CreateAuthority()
    {
        Option<string> name = new("--name") { Description = "Its name, for people.", DefaultValueFactory = _ => "tcpcp authority" };
        Options options = new(AuthorityDays);
        Command command = new("authority", $"Makes an authority: {AuthorityName}.pem for every host, and {AuthorityName}.key to keep.") { name };
        options.AddTo(command);
        command.SetAction(parsed => Run(() =>
        {
            string directory = parsed.GetRequiredValue(options.Out);
            CertificateFilePair files = CertificateFilePair.In(directory, AuthorityName);
            if (FindObstacle(files.Existing, parsed.GetValue(options.Force)) is { } obstacle)
                return Refuse(obstacle);
            Directory.CreateDirectory(directory);
            (X509Certificate2 certificate, ECDsa key) = CertificateMaker.MakeAuthority(parsed.GetRequiredValue(name), TimeSpan.FromDays(parsed.GetValue(options.Days)));
            using (certificate)
            using (key)
            {
                files.Write(certificate, key);
                return Say(CertificateReport.Of(parsed.GetRequiredValue(name), certificate, files, files.Certificate), parsed.GetValue(options.Json));
            }
        }));
        return command;
    }

    private static Command CreateHost()
    {
        Argument<string> name = new("NAME") { Description = "The agent's name: others' configurations and policies name it." };
        name.Validators.Add(result =>
        {
            if (CertificateNames.FindFault(result.GetValueOrDefault<string>()) is { } fault)
                result.AddError(fault);
        });
        Option<string> authority = new("--authority") { Description = "Directory of the authority's files.", Required = true };
        Option<string[]> addresses = new("--address") { Description = "An address of the host, for the certificate's alternative names. May be repeated." };
        addresses.Validators.Add(result =>
        {
            foreach (string text in result.Tokens.Select(token => token.Value).Where(text => !IPAddress.TryParse(text, out _)))
                result.AddError($"--address: '{text}' is no IP address.");
        });
        Options options = new(HostDays);
        Command command = new("host", "Makes the certificate of a host's agent: NAME.pem, NAME.key, and a copy of the authority's certificate.") { name, authority, addresses };
        options.AddTo(command);
        command.SetAction(parsed => Run(() =>
        {
            string directory = parsed.GetRequiredValue(options.Out);
            CertificateFilePair files = CertificateFilePair.In(directory, parsed.GetRequiredValue(name));
            CertificateFilePair source = CertificateFilePair.In(parsed.GetRequiredValue(authority), AuthorityName);
            string copy = Path.Combine(directory, $"{AuthorityName}.pem");
            string text = File.ReadAllText(source.Certificate);
            bool copies = !File.Exists(copy) || File.ReadAllText(copy) != text;
            IEnumerable<string> existing = copies && File.Exists(copy) ? files.Existing.Append(copy) : files.Existing;
            if (FindObstacle(existing, parsed.GetValue(options.Force)) is { } obstacle)
                return Refuse(obstacle);
            using X509Certificate2 signer = source.Read();
            if (signer.NotAfter.ToUniversalTime() <= DateTime.UtcNow)
                return Refuse($"The authority in {source.Certificate} has expired on {signer.NotAfter.ToUniversalTime():u}: make a new one.");
            Directory.CreateDirectory(directory);
            (X509Certificate2 certificate, ECDsa key) = CertificateMaker.MakeHost(signer, parsed.GetRequiredValue(name),
                [.. (parsed.GetValue(addresses) ?? []).Select(IPAddress.Parse)], TimeSpan.FromDays(parsed.GetValue(options.Days)));
            using (certificate)
            using (key)
            {
                files.Write(certificate, key);
                if (copies)
                    CertificateFilePair.WritePublic(copy, text.TrimEnd());
                return Say(CertificateReport.Of(parsed.GetRequiredValue(name), certificate, files, copy), parsed.GetValue(options.Json));
            }
        }));
        return command;
    }

    private static string? FindObstacle(IEnumerable<string> existing, bool force) =>
        !force && existing.FirstOrDefault() is { } file ? $"{file} is there already: choose another directory, or say --force to replace it." : null;

    private static int Run(Func<int> make)
    {
        try
        {
            return make();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"tcpcp cert: {FailureAdvice.Add(e)}");
            return ExitCode.Failed;
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException) // a key of another certificate is the latter
        {
            Console.Error.WriteLine($"tcpcp cert: the authority's files are no certificate and its key: {e.Message} Name the directory of 'tcpcp cert authority'.");
            return ExitCode.Failed;
        }
    }

    private static int Refuse(string why)
    {
        Console.Error.WriteLine($"tcpcp cert: {why}");
        return ExitCode.WrongUse;
    }

    private static int Say(CertificateReport report, bool json)
    {
        Console.WriteLine(json ? JsonSerializer.Serialize(report, CertificateJson.Default.CertificateReport) : string.Create(CultureInfo.InvariantCulture,
            $"{report.Name}, valid to {report.NotAfter:yyyy-MM-dd}\n  certificate  {report.Certificate}\n  key          {report.Key}\n  authority    {report.Authority}"));
        return ExitCode.Done;
    }

    // What both commands have.
    private sealed class Options
    {
        public Options(int days)
        {
            Days = new Option<int>("--days") { Description = $"How long it is valid, 1 to {MaxDays} days.", DefaultValueFactory = _ => days };
            Days.Validators.Add(result =>
            {
                if (result.Tokens is [var token] && !(int.TryParse(token.Value, NumberStyles.None, CultureInfo.InvariantCulture, out int asked) && asked is >= 1 and <= MaxDays))
                    result.AddError($"--days: '{token.Value}' is no number from 1 to {MaxDays}.");
            });
        }

        public Option<string> Out { get; } = new("--out") { Description = "Directory for the files; it is made if it is not there.", Required = true };

        public Option<int> Days { get; }

        public Option<bool> Force { get; } = new("--force") { Description = "Replace files that are there." };

        public Option<bool> Json { get; } = new("--json") { Description = "One JSON object on standard output, and nothing else." };

        public void AddTo(Command command)
        {
            command.Add(Out);
            command.Add(Days);
            command.Add(Force);
            command.Add(Json);
        }
    }
}
